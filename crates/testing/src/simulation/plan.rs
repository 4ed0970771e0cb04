//! What kind of world a seed draws.

use std::collections::BTreeMap;
use std::fmt;

use headwater_client_memory::TransactionProtocol;

use super::Dice;

/// What holds for a whole run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) exactly_once: bool,
    pub(crate) protocol: TransactionProtocol,
    /// Whether anything goes wrong.
    pub(crate) calm: bool,
    pub(crate) most_instances: usize,
    pub(crate) most_threads: u64,
    pub(crate) on_disk: bool,
    pub(crate) settings: BTreeMap<String, String>,
}

impl Plan {
    /// One instance, and nothing goes wrong.
    pub(crate) fn calm() -> Self {
        Plan {
            exactly_once: true,
            protocol: TransactionProtocol::Two,
            calm: true,
            most_instances: 1,
            most_threads: 1,
            on_disk: false,
            settings: settings(&[("statestore.cache.max.bytes", 0)]),
        }
    }

    /// As the dice fall. `caches` says whether results may be left out by caches.
    pub(crate) fn draw(dice: &mut Dice, exactly_once: Option<bool>, caches: bool) -> Self {
        let drawn = !dice.one_in(4);
        let exactly_once = exactly_once.unwrap_or(drawn);
        let protocol = dice.one_of(TransactionProtocol::One, &[TransactionProtocol::Two]);
        let cache = dice.one_of(0, &[0, 1_000, 1_000_000]);
        let mut settings = settings(&[
            ("statestore.cache.max.bytes", if caches { cache } else { 0 }),
            ("num.standby.replicas", dice.below(2)),
            ("commit.interval.ms", dice.one_of(20, &[100, 100, 500])),
            ("acceptable.recovery.lag", dice.one_of(0, &[5, 10_000])),
            ("restore.consumer.max.poll.records", dice.one_of(1, &[7, 1_000])),
            ("main.consumer.max.poll.records", dice.one_of(1, &[5, 1_000])),
            ("buffered.records.per.partition", dice.one_of(2, &[1_000])),
            ("repartition.purge.interval.ms", dice.one_of(50, &[1_000, 30_000])),
        ]);
        if dice.one_in(2) {
            settings.insert("task.assignor.class".to_owned(), "HighAvailabilityTaskAssignor".to_owned());
        }
        Plan {
            exactly_once,
            protocol,
            calm: false,
            most_instances: 1 + dice.index(4),
            most_threads: 1 + dice.below(3),
            on_disk: !dice.one_in(4),
            settings,
        }
    }
}

fn settings(drawn: &[(&str, u64)]) -> BTreeMap<String, String> {
    let mut settings: BTreeMap<String, String> =
        drawn.iter().map(|(key, value)| ((*key).to_owned(), value.to_string())).collect();
    for (key, value) in [
        ("session.timeout.ms", "10000"),
        ("heartbeat.interval.ms", "3000"),
        ("probing.rebalance.interval.ms", "60000"),
        // A state directory is as old as the machine says, the simulation's time is its own.
        ("state.cleanup.delay.ms", "9000000000000"),
    ] {
        settings.insert(key.to_owned(), value.to_owned());
    }
    settings
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let guarantee = if self.exactly_once { "exactly_once_v2" } else { "at_least_once" };
        let place = if self.on_disk { "disk" } else { "memory" };
        write!(
            f,
            "{guarantee}, protocol {:?}, up to {} instances of {} threads, state in {place}",
            self.protocol, self.most_instances, self.most_threads
        )?;
        for (key, value) in &self.settings {
            if !matches!(
                key.as_str(),
                "session.timeout.ms"
                    | "heartbeat.interval.ms"
                    | "state.cleanup.delay.ms"
                    | "probing.rebalance.interval.ms"
            ) {
                write!(f, ", {key}={value}")?;
            }
        }
        Ok(())
    }
}
