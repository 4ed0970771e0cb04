//! Thousands of histories with a broker that follows Kafka's rules and a network that loses what it likes.

use super::*;

/// A partition's log at its leader, which checks sequences as `ProducerAppendInfo` does.
#[derive(Default)]
struct Log {
    records: Vec<u32>,
    epoch: i16,
    next: i32,
    /// The last five batches: epoch, sequence, offset.
    known: VecDeque<(i16, i32, i64)>,
    /// Records that it will not have.
    refused: u32,
    largest_batch: usize,
}

impl Log {
    fn write(&mut self, by: Producing, batch: &Records) -> Answer {
        if batch.0.len() > self.largest_batch {
            return Answer::TooLarge(met());
        }
        if let Some((_, _, offset)) =
            self.known.iter().find(|(epoch, sequence, _)| (*epoch, *sequence) == (by.epoch, by.sequence))
        {
            return Answer::Stored(*offset);
        }
        if by.epoch < self.epoch {
            return Answer::Forgotten(met());
        }
        if batch.0.contains(&self.refused) {
            return Answer::Refused(met());
        }
        // Of a producer that it knows nothing of it takes any sequence.
        let expected = if by.epoch > self.epoch { 0 } else { self.next };
        if !self.known.is_empty() && by.sequence != expected {
            return Answer::OutOfOrder(met());
        }
        if by.epoch > self.epoch {
            self.known.clear();
        }
        let offset = self.records.len() as i64;
        self.records.extend(&batch.0);
        (self.epoch, self.next) = (by.epoch, after(by.sequence, batch.count()));
        self.known.push_back((by.epoch, by.sequence, offset));
        if self.known.len() > 5 {
            self.known.pop_front();
        }
        Answer::Stored(offset)
    }
}

struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// What is told of records at the end: those stored and those given up.
#[derive(Default)]
struct Told {
    stored: Vec<u32>,
    failed: Vec<u32>,
}

/// Writes `count` records; `hasty` gives batches up early.
fn history(seed: u64, count: u32, hasty: bool) -> (Log, Told) {
    let mut chance = Chance(seed);
    let delivery_timeout = if hasty { Duration::from_millis(400) } else { Duration::from_hours(1) };
    let mut sequences = Sequences::new(TopicPartition::new("t", 0), Rules { delivery_timeout, ..RULES });
    let mut log = Log { refused: if chance.one_in(3) { 17 } else { u32::MAX }, largest_batch: 6, ..Log::default() };
    let (mut now, mut next, mut told) = (at(0), 0, Told::default());
    let mut under_way: VecDeque<(Ticket, Producing, Records)> = VecDeque::new();
    // The broker has read them but not begun, and their sender has gone.
    let mut late: VecDeque<(Producing, Records)> = VecDeque::new();
    while next < count || !sequences.is_empty() {
        now = now.plus(Duration::from_millis(chance.below(60)));
        if next < count && chance.one_in(2) {
            let end = (next + 1 + chance.below(8) as u32).min(count);
            sequences.push(Records((next..end).collect()), now);
            next = end;
        }
        if chance.one_in(4)
            && let Some((by, batch)) = late.pop_front()
        {
            log.write(by, &batch);
        }
        sequences.expire(now);
        if sequences.next(now).is_some()
            && chance.one_in(2)
            && let Some((ticket, by, batch)) = sequences.send(Some(ME))
        {
            under_way.push_back((ticket, by, batch.clone()));
        }
        if chance.one_in(2)
            && let Some((ticket, by, batch)) = under_way.pop_front()
        {
            let answer = if chance.one_in(12) { Answer::Passing(met()) } else { log.write(by, &batch) };
            sequences.answered(ticket, answer, now);
        }
        if chance.one_in(15) {
            // The connection is lost; the broker had begun some of it.
            let begun = chance.below(6) as usize;
            for (number, (ticket, by, batch)) in under_way.drain(..).enumerate() {
                if number < begun {
                    log.write(by, &batch);
                } else if late.len() < 2 {
                    late.push_back((by, batch));
                }
                sequences.answered(ticket, Answer::Unheard(met()), now);
            }
        }
        while let Some(ended) = sequences.pop() {
            let batch = ended.batch;
            match ended.outcome {
                Ok(offset) => {
                    let offset = offset as usize;
                    assert_eq!(log.records.get(offset..offset + batch.0.len()), Some(&batch.0[..]), "seed {seed}");
                    told.stored.extend(batch.0);
                }
                Err(_) => told.failed.extend(batch.0),
            }
        }
    }
    (log, told)
}

#[test]
fn whatever_is_lost_each_record_is_stored_once_and_in_order() {
    for seed in 1..3_000 {
        let (log, told) = history(seed, 60, false);
        let expected: Vec<u32> = (0..60).filter(|number| !told.failed.contains(number)).collect();
        assert_eq!(log.records, expected, "seed {seed}");
        assert_eq!(told.stored, expected, "seed {seed}");
        // Only what the broker refuses, with the batch that it is in.
        assert!(
            told.failed.is_empty() || told.failed.contains(&17) && told.failed.len() <= 6,
            "seed {seed}: {:?}",
            told.failed
        );
    }
}

#[test]
fn what_is_given_up_may_be_stored_but_nothing_is_twice_or_out_of_order() {
    let mut given_up = 0;
    for seed in 1..3_000 {
        let (log, told) = history(seed, 60, true);
        assert!(log.records.is_sorted_by(|one, other| one < other), "seed {seed}: {:?}", log.records);
        let missing = told.stored.iter().find(|number| !log.records.contains(number));
        assert_eq!(missing, None, "seed {seed}");
        assert_eq!(told.stored.len() + told.failed.len(), 60, "seed {seed}");
        given_up += told.failed.len();
    }
    assert!(given_up > 1_000, "the histories are too tame: {given_up}");
}

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
        let count = 1 + chance.below(12) as u32;
        let mut under_way: VecDeque<(Ticket, Producing, Records)> = VecDeque::new();
        for _ in 0..count {
            let batch: Vec<u32> = (0..1 + chance.below(3) as u32).map(|more| number + more).collect();
            number += batch.len() as u32;
            records.extend(&batch);
            sequences.push(Records(batch), now);
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
