//! Transactions over a network that loses, repeats and delays what it likes: what is committed is there once, and nothing else is.

use super::*;

/// A broker that keeps a producer's state beyond the end of a transaction, and the records of transactions by their end.
#[derive(Default)]
struct TransactionalLog {
    log: Log,
    known: bool,
    /// Where the open transaction begins.
    open_from: usize,
}

impl TransactionalLog {
    fn write(&mut self, by: Producing, batch: &Records) -> Answer {
        assert!(by.transactional);
        // A marker leaves what is known of the producer, and nothing of its batches.
        if self.known && self.log.known.is_empty() {
            let expected = if by.epoch > self.log.epoch { 0 } else { self.log.next };
            if by.epoch < self.log.epoch {
                return Answer::Forgotten(met());
            }
            if by.sequence != expected {
                return Answer::OutOfOrder(met());
            }
        }
        let answer = self.log.write(by, batch);
        self.known |= matches!(answer, Answer::Stored(_));
        answer
    }

    /// The transaction's marker; under protocol 2 it has the next epoch.
    fn end(&mut self, commit: bool, next: Option<Identity>) {
        if !commit {
            self.log.records.truncate(self.open_from);
            // Offsets are those of records that are left.
            self.log.known.clear();
        }
        self.open_from = self.log.records.len();
        if let Some(next) = next.filter(|_| self.known) {
            (self.log.epoch, self.log.next) = (next.epoch, 0);
            self.log.known.clear();
        }
    }
}

/// What one transaction writes, numbered from `next` on.
fn batches(chance: &mut Chance, next: &mut u32) -> Vec<Records> {
    let count = 1 + chance.below(12);
    let mut batch = |chance: &mut Chance| {
        let from = *next;
        *next += 1 + chance.below(3) as u32;
        Records((from..*next).collect())
    };
    (0..count).map(|_| batch(chance)).collect()
}

/// Writes transactions until there were 40, or until one of protocol 1 is left in doubt; what was committed, and the log.
fn transactions(seed: u64, protocol_2: bool) -> (Vec<u32>, Vec<u32>, usize) {
    let mut chance = Chance(seed);
    let rules = Rules { delivery_timeout: Duration::from_millis(400), ..TRANSACTIONAL };
    let mut sequences = Sequences::new(TopicPartition::new("t", 0), rules);
    let mut log = TransactionalLog {
        log: Log { largest_batch: 6, refused: u32::MAX, ..Log::default() },
        ..TransactionalLog::default()
    };
    let (mut now, mut number, mut identity) = (at(0), 0, ME);
    let (mut committed, mut aborts) = (Vec::new(), 0);
    // Copies of what was unheard, on their way for as long as they like.
    let mut late: Vec<(Producing, Records)> = Vec::new();
    for _ in 0..40 {
        log.log.refused = if chance.one_in(8) { number + 5 } else { u32::MAX };
        let (mut records, mut failed, mut in_doubt) = (Vec::new(), false, false);
        let mut under_way: VecDeque<(Ticket, Producing, Records)> = VecDeque::new();
        for batch in batches(&mut chance, &mut number) {
            records.extend(&batch.0);
            sequences.push(batch, now);
        }
        while !sequences.is_empty() {
            now = now.plus(Duration::from_millis(chance.below(40)));
            if !late.is_empty() && chance.one_in(6) {
                let (by, batch) = late.swap_remove(chance.below(late.len() as u64) as usize);
                log.write(by, &batch);
            }
            sequences.expire(now);
            if sequences.next(now).is_some()
                && let Some((ticket, by, batch)) = sequences.send(Some(identity))
            {
                under_way.push_back((ticket, by, batch.clone()));
            }
            if chance.one_in(2)
                && let Some((ticket, by, batch)) = under_way.pop_front()
            {
                let answer = match chance.below(10) {
                    0 => Answer::Passing(met()),
                    1 => {
                        // It arrives now, later, or both.
                        if chance.one_in(2) {
                            log.write(by, &batch);
                        }
                        late.push((by, batch));
                        Answer::Unheard(met())
                    }
                    _ => log.write(by, &batch),
                };
                sequences.answered(ticket, answer, now);
            }
            while let Some(told) = sequences.pop() {
                failed |= told.outcome.is_err();
                in_doubt |= told.in_doubt;
            }
        }
        if in_doubt && !protocol_2 {
            break;
        }
        aborts += usize::from(failed);
        let renewed = protocol_2 || failed;
        let next = Identity { epoch: identity.epoch + i16::from(renewed), ..identity };
        log.end(!failed, protocol_2.then_some(next));
        if !failed {
            committed.append(&mut records);
        }
        identity = next;
        sequences.belong_to(identity);
    }
    // Whatever is still on its way after the last end.
    for (by, batch) in late {
        log.write(by, &batch);
    }
    let settled = if protocol_2 { log.log.records.len() } else { log.open_from };
    (committed, log.log.records.drain(..settled).collect(), aborts)
}

#[test]
fn what_was_committed_is_there_once_and_in_order_whatever_arrives_late() {
    for protocol_2 in [true, false] {
        let (mut all, mut aborted) = (0, 0);
        for seed in 1..2_000 {
            let (committed, log, aborts) = transactions(seed, protocol_2);
            assert_eq!(log, committed, "seed {seed}, protocol 2: {protocol_2}");
            all += committed.len();
            aborted += aborts;
        }
        assert!(all > 10_000 && aborted > 1_000, "the histories are too tame: {all} records, {aborted} aborts");
    }
}
