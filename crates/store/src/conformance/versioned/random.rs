//! Random writes and reads against a model that keeps everything, and looks through all of it.

use std::collections::{BTreeMap, BTreeSet};

use headwater_record::{Offset, OwnedRecord};

use super::super::numbers::Numbers;
use super::{Setting, at, get, get_as_of, kind, put, record, scan};
use crate::bytes::{Order, VersionedBytes};

/// All versions of a key, tombstones among them.
#[derive(Debug, Default)]
struct History {
    versions: BTreeMap<i64, Option<String>>,
    /// Timestamps that are known for another reason than that a latest version has them: something ended there.
    held: BTreeSet<i64>,
}

#[derive(Debug)]
struct Model {
    retention: i64,
    interval: i64,
    observed: i64,
    keys: BTreeMap<&'static str, History>,
}

/// From, to and value of a version.
type Seen<'a> = (i64, Option<i64>, &'a str);

impl Model {
    fn horizon(&self) -> i64 {
        self.observed - self.retention
    }

    fn put(&mut self, key: &'static str, value: Option<&str>, time: i64) -> i64 {
        if time < self.horizon() {
            return i64::MIN;
        }
        self.observed = self.observed.max(time);
        let history = self.keys.entry(key).or_default();
        let next = history.versions.range(time + 1..).next().map(|(time, _)| *time);
        let newest = history.versions.last_key_value().map(|(time, value)| (*time, value.is_some()));
        match (next, newest) {
            (Some(next), _) => {
                history.held.insert(next);
            }
            (None, Some((newest, true))) if newest == time => {
                if value.is_none() && !history.held.contains(&time) {
                    history.versions.remove(&time);
                    return -1;
                }
            }
            (None, Some((_, true))) => {
                history.held.insert(time);
            }
            (None, _) if value.is_none() => {
                history.held.insert(time);
            }
            (None, _) => {}
        }
        history.versions.insert(time, value.map(str::to_owned));
        next.unwrap_or(-1)
    }

    /// All versions of a key but the tombstones.
    fn versions(&self, key: &str) -> Vec<Seen<'_>> {
        let Some(history) = self.keys.get(key) else { return Vec::new() };
        let to = |from: i64| history.versions.range(from + 1..).next().map(|(time, _)| *time);
        let seen = |(from, value): (&i64, &'_ Option<String>)| value.is_some().then_some((*from, to(*from)));
        let ends: Vec<(i64, Option<i64>)> = history.versions.iter().filter_map(seen).collect();
        let values = history.versions.values().flatten();
        ends.into_iter().zip(values).map(|((from, to), value)| (from, to, value.as_str())).collect()
    }

    fn latest(&self, key: &str) -> Option<Seen<'_>> {
        self.versions(key).into_iter().find(|(_, to, _)| to.is_none())
    }

    fn as_of(&self, key: &str, time: i64) -> Option<Seen<'_>> {
        let latest = self.latest(key).filter(|(from, ..)| *from <= time);
        if latest.is_some() || time < self.horizon() {
            return latest;
        }
        let valid = |(from, to, _): &Seen<'_>| *from <= time && to.is_none_or(|to| time < to);
        self.versions(key).into_iter().find(valid)
    }

    fn scan(&self, key: &str, from: i64, to: i64) -> Vec<String> {
        let wanted = |(valid_from, valid_to, _): &Seen<'_>| {
            let Some(end) = *valid_to else { return *valid_from <= to };
            let segment = end / self.interval;
            let there = self.horizon() / self.interval <= segment && segment <= to / self.interval;
            to >= self.horizon() && there && *valid_from <= to && from < end
        };
        self.versions(key).into_iter().filter(wanted).map(show).collect()
    }
}

fn show((from, to, value): Seen<'_>) -> String {
    format!("{value}@{from}..{}", to.map_or_else(String::new, |to| to.to_string()))
}

fn shown(seen: Option<Seen<'_>>) -> String {
    seen.map_or_else(|| "none".to_owned(), show)
}

const KEYS: [&str; 4] = ["", "a", "ab", "b"];
const STEPS: usize = 1000;

pub(super) fn answers_as_the_model(setting: &Setting<'_>) {
    for (seed, (retention, interval)) in [(20, 7), (50, 100), (0, 5), (100, 1), (1000, 2000), (5, 2)].iter().enumerate()
    {
        let setting = setting.part(&format!("{retention}-{interval}"));
        let model = Model { retention: *retention, interval: *interval, observed: -1, keys: BTreeMap::new() };
        let mut run = Run {
            numbers: Numbers(seed as u64),
            model,
            now: 0,
            log: Vec::new(),
            store: setting.versioned(kind(retention.unsigned_abs(), interval.unsigned_abs())),
            setting,
        };
        for step in 0..STEPS {
            run = run.step(step);
        }
    }
}

struct Run<'a> {
    setting: Setting<'a>,
    numbers: Numbers,
    model: Model,
    now: i64,
    log: Vec<OwnedRecord>,
    store: Box<dyn VersionedBytes>,
}

impl Run<'_> {
    fn step(mut self, step: usize) -> Self {
        let span = self.model.retention + 2 * self.model.interval;
        match self.numbers.below(120) {
            0 => self.now += span,
            1..=30 => self.now += 1 + self.numbers.below(self.model.interval),
            _ => {}
        }
        let back = match self.numbers.below(3) {
            0 => 0,
            1 => self.numbers.below(12),
            _ => self.numbers.below(span + span / 5),
        };
        let time = (self.now - back).max(0);
        let key = KEYS.get(self.numbers.below(4) as usize).copied().unwrap_or_default();
        match self.numbers.below(20) {
            0..=8 => self.put(key, time, step),
            9..=15 => self.read(key, time),
            16..=18 => self.scan(key, time),
            _ if self.numbers.below(4) > 0 => {
                let last = self.log.len() as i64 - 1;
                self.setting.done("commit", self.store.commit((last >= 0).then(|| Offset::new(last))));
            }
            _ => return self.restart(),
        }
        self
    }

    fn put(&mut self, key: &'static str, time: i64, step: usize) {
        let value = match self.numbers.below(10) {
            0..=2 => None,
            3 => Some(String::new()),
            _ => Some(step.to_string()),
        };
        let expected = self.model.put(key, value.as_deref(), time);
        let found = put(&self.setting, self.store.as_mut(), key, value.as_deref(), time);
        self.setting.same(
            &format!("step {step}: what putting {value:?} for {key:?} at {time} returns"),
            found,
            expected,
        );
        // Logged whether it was put or not, as Java does.
        self.log.push(record(key.as_bytes(), value.as_deref(), time, Vec::new()));
    }

    fn read(&self, key: &str, time: i64) {
        let found = get(&self.setting, self.store.as_ref(), key);
        self.setting.same(&format!("the latest version of {key:?}"), found, shown(self.model.latest(key)));
        for time in [time, self.now, self.model.horizon(), self.model.horizon() - 1] {
            let found = get_as_of(&self.setting, self.store.as_ref(), key, time);
            self.setting.same(&format!("{key:?} as of {time}"), found, shown(self.model.as_of(key, time)));
        }
        self.setting.same("the store's time", self.store.observed_time(), at(self.model.observed));
    }

    fn scan(&mut self, key: &str, time: i64) {
        let from = (time - self.numbers.below(self.model.retention + 1)).max(0);
        let to = if self.numbers.below(2) == 0 { i64::MAX } else { time };
        let limit = 1 + self.numbers.below(4) as usize;
        let expected = self.model.scan(key, from, to);
        let what = format!("the versions of {key:?} from {from} to {to}, {limit} at a time");
        let found = scan(&self.setting, self.store.as_ref(), (key, from, to), Order::Forward, limit);
        self.setting.same(&what, found, expected.clone());
        let mut found = scan(&self.setting, self.store.as_ref(), (key, from, to), Order::Backward, limit);
        found.reverse();
        self.setting.same(&what, found, expected);
    }

    /// Opens the store again, and restores what it does not have: all of it, when it is not persistent.
    fn restart(mut self) -> Self {
        let (retention, interval) = (self.model.retention.unsigned_abs(), self.model.interval.unsigned_abs());
        drop(self.store);
        self.store = self.setting.versioned(kind(retention, interval));
        let offset = self.setting.done("committed_offset", self.store.committed_offset());
        let first = offset.map_or(0, |offset| offset.next().value() as usize);
        for batch in self.log.get(first..).unwrap_or_default().chunks(50) {
            self.setting.restore(self.store.as_mut(), batch);
        }
        for key in KEYS {
            self.read(key, self.now);
            let found = super::all(&self.setting, self.store.as_ref(), key);
            self.setting.same("all versions after a restart", found, self.model.scan(key, 0, i64::MAX));
        }
        self
    }
}
