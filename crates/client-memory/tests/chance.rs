//! Transactions under faults that chance chooses: whatever goes wrong, each is seen as a whole or not at all, as its producer was told.
#![cfg(test)]

mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use headwater_client::{ErrorClass, TransactionOutcome};
use headwater_client_memory::{Api, TransactionProtocol};
use headwater_record::Partition;
use world::{PARTITIONS, TestProducer, TestReader, World, producer_of};

const SEEDS: u64 = 100;
const STEPS: usize = 120;
/// What goes wrong most often is what hurts most.
const REQUESTS: [Api; 9] = [
    Api::Produce,
    Api::InitProducerId,
    Api::AddPartitionsToTxn,
    Api::AddOffsetsToTxn,
    Api::TxnOffsetCommit,
    Api::TxnOffsetCommit,
    Api::EndTxn,
    Api::EndTxn,
    Api::EndTxn,
];

/// The same numbers for the same seed (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn millis(&mut self, bound: u64) -> Duration {
        Duration::from_millis(self.below(bound))
    }
}

/// How a transaction ended, as its producer was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Committed,
    Indefinite,
    Nothing,
}

/// What is known of one transaction.
#[derive(Debug)]
struct Written {
    to: BTreeSet<Partition>,
    offsets: bool,
    told: Told,
}

/// A producer and the transaction that it has open.
struct Running {
    producer: TestProducer,
    open: Option<usize>,
}

/// One run.
struct Run {
    world: World,
    protocol: TransactionProtocol,
    chance: Chance,
    /// The youngest last; those before it were fenced and do not know it yet.
    producers: Vec<Running>,
    transactions: Vec<Written>,
    /// It reads while all of this goes on.
    reader: TestReader,
}

impl Run {
    fn new(protocol: TransactionProtocol, seed: u64) -> Self {
        let world = World::new(protocol);
        let reader = TestReader::new(&world);
        Run { world, protocol, chance: Chance(seed), producers: Vec::new(), transactions: Vec::new(), reader }
    }

    /// Plans something, or lets much time pass.
    fn disturb(&mut self) {
        let api = REQUESTS[self.chance.below(REQUESTS.len() as u64) as usize];
        let times = 1 + self.chance.below(2) as u32;
        let longest = if self.chance.one_in(4) { 15_000 } else { 3_000 };
        let by = self.chance.millis(longest);
        let now = self.world.clock_now();
        let faults = self.world.cluster.faults();
        match self.chance.below(9) {
            0 => faults.move_coordinator(api, times),
            1 => faults.lose_responses(api, times),
            2 => faults.lose_requests(api, times),
            3 | 8 => faults.delay_requests(api, times, by),
            // Under protocol 1 nobody can tell such a request from one of the next transaction.
            4 if self.protocol == TransactionProtocol::Two || api == Api::Produce => {
                faults.repeat_requests(api, times, by);
            }
            5 => faults.crash_while_writing_markers(times as usize, now.plus(by)),
            6 => faults.unreachable_until(now.plus(by)),
            _ => self.world.clock.advance(by),
        }
    }

    fn start(&mut self) {
        if let Ok(producer) = self.world.try_producer_with(&producer_of("p")) {
            self.producers.push(Running { producer, open: None });
        }
    }

    fn step(&mut self) {
        let passes = self.chance.millis(400);
        self.world.clock.advance(passes);
        if self.chance.one_in(4) {
            self.disturb();
        }
        if self.chance.one_in(2) {
            self.reader.poll();
        }
        if self.producers.is_empty() || self.chance.one_in(40) {
            self.start();
            return;
        }
        // Mostly the youngest; now and then one that wakes up late.
        let last = self.producers.len() - 1;
        let index = if self.chance.one_in(5) { self.chance.below(last as u64 + 1) as usize } else { last };
        let mut running = self.producers.remove(index);
        if self.act(&mut running) {
            self.producers.insert(index, running);
        }
    }

    /// Whether the producer is still of use.
    fn act(&mut self, running: &mut Running) -> bool {
        let Running { producer, open } = running;
        let Some(number) = *open else {
            let begun = producer.transactions().begin().is_ok();
            *open = begun.then_some(self.transactions.len());
            if begun {
                self.transactions.push(Written { to: BTreeSet::new(), offsets: false, told: Told::Nothing });
            }
            return begun;
        };
        let written = &mut self.transactions[number];
        match self.chance.below(8) {
            0..=3 => {
                let partition = self.chance.below(PARTITIONS as u64) as Partition;
                if written.to.contains(&partition) {
                    return true;
                }
                let appended = producer.try_append(partition, &number.to_string());
                if appended.is_ok() {
                    written.to.insert(partition);
                }
                let failed = appended.and_then(|()| producer.flush()).err();
                failed.is_none_or(|error| error.class() != ErrorClass::Fenced)
            }
            4 => {
                let sent = producer.send_offsets(number as i64);
                written.offsets |= sent.is_ok();
                true
            }
            5 => {
                *open = None;
                producer.abort().is_ok()
            }
            _ => {
                *open = None;
                match producer.commit() {
                    TransactionOutcome::Committed => written.told = Told::Committed,
                    TransactionOutcome::Indefinite(_) => {
                        written.told = Told::Indefinite;
                        return false;
                    }
                    TransactionOutcome::Fenced(_) => return false,
                    TransactionOutcome::Aborted(_) => {}
                }
                true
            }
        }
    }

    /// Lets everything arrive and end, and compares.
    fn check(mut self, case: &str) -> usize {
        self.world.cluster.faults().forget_rules();
        self.world.clock.advance(Duration::from_hours(1));
        self.world.producer("p");
        assert_eq!(self.world.open_partitions(), 0, "{case}: a transaction hangs");
        while self.reader.poll() {}
        assert_eq!(self.reader.seen, self.world.committed(), "{case}: a reader has seen something else");
        assert_eq!(self.reader.positions(&self.world), self.world.ends(), "{case}");
        let mut seen: BTreeMap<usize, BTreeSet<Partition>> = BTreeMap::new();
        for (partition, values) in (0..).zip(self.world.committed()) {
            let numbers: Vec<usize> = values.iter().map(|value| value.parse().unwrap()).collect();
            assert!(numbers.is_sorted_by(|a, b| a < b), "{case}: partition {partition} has {numbers:?}");
            for number in numbers {
                seen.entry(number).or_default().insert(partition);
            }
        }
        let mut offset = None;
        let mut committed = 0;
        for (number, written) in self.transactions.iter().enumerate() {
            let found = seen.remove(&number).unwrap_or_default();
            let whole = found == written.to;
            match written.told {
                Told::Committed => assert!(whole, "{case}: {number} {written:?} is seen on {found:?}"),
                Told::Nothing => assert!(found.is_empty(), "{case}: {number} {written:?} is seen on {found:?}"),
                Told::Indefinite => {
                    assert!(whole || found.is_empty(), "{case}: {number} {written:?} is seen on {found:?}");
                }
            }
            committed += usize::from(written.told == Told::Committed);
            if written.offsets && written.told == Told::Indefinite && written.to.is_empty() {
                // Its offset alone says what became of it.
                offset = self.world.offset().filter(|found| *found == number as i64).or(offset);
            } else if written.offsets && whole && written.told != Told::Nothing {
                offset = Some(number as i64);
            }
        }
        assert!(seen.is_empty(), "{case}: nobody wrote {seen:?}");
        assert_eq!(self.world.offset(), offset, "{case}: {:?}", self.transactions);
        assert!(!self.world.is_unstable(), "{case}");
        committed
    }
}

fn many(protocol: TransactionProtocol) {
    let mut committed = 0;
    for seed in 0..SEEDS {
        let mut run = Run::new(protocol, seed);
        for _ in 0..STEPS {
            run.step();
        }
        committed += run.check(&format!("{protocol:?}, seed {seed}"));
    }
    assert!(committed as u64 > SEEDS, "only {committed} transactions were committed in {SEEDS} runs");
}

#[test]
fn under_protocol_one_each_transaction_is_seen_as_its_producer_was_told() {
    many(TransactionProtocol::One);
}

#[test]
fn under_protocol_two_each_transaction_is_seen_as_its_producer_was_told() {
    many(TransactionProtocol::Two);
}
