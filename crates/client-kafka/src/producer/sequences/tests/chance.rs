//! Thousands of histories with a broker that follows Kafka's rules and a network that loses what it likes.

mod transactions;

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
