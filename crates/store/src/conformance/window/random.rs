//! Random writes and reads against a model that keeps everything, and looks through all of it.

use std::collections::BTreeMap;

use headwater_record::{Offset, OwnedRecord};
use headwater_window::key_format::put_window_store_suffix;

use super::super::numbers::Numbers;
use super::{Setting, at, fetch, kind, put, record, scan};
use crate::RowFormat;
use crate::bytes::{KeySelection, Order, Put, WindowBytes};

/// Start, key and sequence number of a row.
type Place = (i64, &'static str, i32);

#[derive(Debug)]
struct Model {
    retention: i64,
    duplicates: bool,
    /// Whether by time first, and with an index by key then.
    by_time: (bool, bool),
    /// Whether windows that are exactly as old as the retention are read.
    reads_edge: bool,
    observed: i64,
    rows: BTreeMap<Place, String>,
}

impl Model {
    fn oldest(&self) -> i64 {
        self.observed - self.retention + i64::from(!self.reads_edge)
    }

    /// What comes of a put; `None` where the make of store decides, since on disk whole segments are forgotten.
    fn expects(&self, start: i64) -> Option<Put> {
        let horizon = self.observed.max(start) - self.retention;
        match start {
            _ if start > horizon => Some(Put::Stored),
            _ if start <= horizon - self.retention / 2 => Some(Put::Expired),
            _ => None,
        }
    }

    fn put(&mut self, place: Place, value: Option<&str>) {
        self.observed = self.observed.max(place.0);
        match value {
            Some(value) => self.rows.insert(place, value.to_owned()),
            None => self.rows.remove(&place),
        };
    }

    fn fetch(&self, key: &'static str, start: i64) -> Option<String> {
        self.rows.get(&(start, key, 0)).filter(|_| start >= self.oldest()).cloned()
    }

    /// By start, key and sequence number.
    fn scan(&self, keys: KeySelection<'_>, from: i64, to: i64) -> Vec<String> {
        let wanted = |(start, key, _): &Place| {
            keys.contains(key.as_bytes()) && *start >= self.oldest() && from <= *start && *start <= to
        };
        let rows = self.rows.iter().filter(|(place, _)| wanted(place));
        rows.map(|((start, key, _), value)| format!("{key}@{start}={value}")).collect()
    }
}

const KEYS: [&str; 5] = ["", "a", "a\0", "ab", "b"];
const STEPS: usize = 400;

pub(super) fn answers_as_the_model(setting: &Setting<'_>) {
    for (seed, retention) in [4, 20, 100, 2000].into_iter().enumerate() {
        let kinds = [(false, false, false), (false, true, false), (false, true, true), (true, false, false)];
        for (duplicates, time_ordered, key_index) in kinds {
            let setting = setting.part(&format!("{retention}-{duplicates}-{time_ordered}-{key_index}"));
            let reads_edge = time_ordered && setting.is_persistent();
            let (observed, rows) = (-1, BTreeMap::new());
            let model = Model { retention, duplicates, by_time: (time_ordered, key_index), reads_edge, observed, rows };
            let store = open(&setting, &model);
            let mut run = Run { numbers: Numbers(seed as u64), model, now: 0, log: Vec::new(), store, setting };
            for step in 0..STEPS {
                run = run.step(step);
            }
        }
    }
}

fn open(setting: &Setting<'_>, model: &Model) -> Box<dyn WindowBytes> {
    let kind = kind(model.retention.unsigned_abs(), model.duplicates, model.by_time);
    setting.window(kind, RowFormat::Plain)
}

struct Run<'a> {
    setting: Setting<'a>,
    numbers: Numbers,
    model: Model,
    now: i64,
    log: Vec<OwnedRecord>,
    store: Box<dyn WindowBytes>,
}

impl Run<'_> {
    fn step(mut self, step: usize) -> Self {
        let retention = self.model.retention;
        match self.numbers.below(120) {
            0 => self.now += 2 * retention,
            1..=30 => self.now += 1 + self.numbers.below(retention / 4),
            _ => {}
        }
        let back = match self.numbers.below(3) {
            0 => 0,
            1 => self.numbers.below(8),
            _ => self.numbers.below(2 * retention),
        };
        let (key, start) = (self.key(), (self.now - back).max(0));
        match self.numbers.below(20) {
            0..=9 => self.put(key, start, step),
            10..=11 => self.fetch(key),
            12..=14 => self.scan_one(key, start),
            15..=17 => self.scan_several(start),
            _ if self.numbers.below(4) > 0 => {
                let last = self.log.len() as i64 - 1;
                self.setting.done("commit", self.store.commit((last >= 0).then(|| Offset::new(last))));
            }
            _ => return self.restart(),
        }
        self
    }

    fn key(&mut self) -> &'static str {
        KEYS.get(self.numbers.below(KEYS.len() as i64) as usize).copied().unwrap_or_default()
    }

    fn put(&mut self, key: &'static str, start: i64, step: usize) {
        let value = match self.numbers.below(10) {
            0..=2 => None,
            3 => Some(String::new()),
            _ => Some(step.to_string()),
        };
        let nothing = self.model.duplicates && value.is_none();
        // None beside duplicates does nothing; whether it may be late is for the make of store to say.
        let start = if nothing { self.model.observed.max(0) } else { start };
        let found = put(&self.setting, self.store.as_mut(), key, start, value.as_deref());
        let expected = self.model.expects(start).unwrap_or(found);
        let what = format!("step {step}: what putting {value:?} for {key:?} at {start} returns");
        self.setting.same(&what, found, expected);
        if found == Put::Expired || nothing {
            return;
        }
        let sequence = if self.model.duplicates { self.store.last_sequence() } else { 0 };
        self.model.put((start, key, sequence), value.as_deref());
        let mut row_key = key.as_bytes().to_vec();
        put_window_store_suffix(at(start), sequence, &mut row_key);
        self.log.push(record(&row_key, value.as_deref(), start, Vec::new()));
    }

    fn fetch(&self, key: &'static str) {
        if self.model.duplicates {
            return;
        }
        let oldest = self.model.oldest();
        for start in (oldest - 2..oldest + 3).chain(self.now - 8..=self.now).filter(|start| *start >= 0) {
            let found = fetch(&self.setting, self.store.as_ref(), key, start);
            self.setting.same(&format!("{key:?} at {start}"), found, self.model.fetch(key, start));
        }
    }

    /// From when to when to read: mostly with `start` among it.
    fn span(&mut self, start: i64) -> (i64, i64) {
        let from = (start - self.numbers.below(self.model.retention)).max(0);
        (from, if self.numbers.below(2) == 0 { i64::MAX } else { start - 1 + self.numbers.below(4) })
    }

    fn scan_one(&mut self, key: &str, start: i64) {
        let (from, to) = self.span(start);
        let limit = 1 + self.numbers.below(4) as usize;
        let keys = KeySelection::One(key.as_bytes());
        let expected = self.model.scan(keys, from, to);
        let what = format!("the windows of {key:?} from {from} to {to}, {limit} at a time");
        let found = scan(&self.setting, self.store.as_ref(), (keys, from, to), Order::Forward, limit);
        self.setting.same(&what, found, expected.clone());
        let mut found = scan(&self.setting, self.store.as_ref(), (keys, from, to), Order::Backward, limit);
        found.reverse();
        self.setting.same(&format!("{what}, backward"), found, expected);
    }

    fn scan_several(&mut self, start: i64) {
        let (from, to) = self.span(start);
        let mut bound = || (self.numbers.below(3) > 0).then(|| self.key().as_bytes());
        let keys = KeySelection::Between(bound(), bound());
        let what = format!("the windows of {keys:?} from {from} to {to}");
        let forward = scan(&self.setting, self.store.as_ref(), (keys, from, to), Order::Forward, 1000);
        // Their order is for the make of store to say.
        let (mut found, mut expected) = (forward.clone(), self.model.scan(keys, from, to));
        found.sort();
        expected.sort();
        self.setting.same(&what, found, expected);
        let limit = 1 + self.numbers.below(4) as usize;
        let found = scan(&self.setting, self.store.as_ref(), (keys, from, to), Order::Forward, limit);
        self.setting.same(&format!("{what}, {limit} at a time"), &found, &forward);
        let mut found = scan(&self.setting, self.store.as_ref(), (keys, from, to), Order::Backward, limit);
        found.reverse();
        self.setting.same(&format!("{what}, {limit} at a time, backward"), found, forward);
    }

    /// Opens the store again, and restores what it does not have: all of it, when it is not persistent.
    fn restart(mut self) -> Self {
        drop(self.store);
        self.store = open(&self.setting, &self.model);
        let offset = self.setting.done("committed_offset", self.store.committed_offset());
        let first = offset.map_or(0, |offset| offset.next().value() as usize);
        for batch in self.log.get(first..).unwrap_or_default().chunks(50) {
            self.setting.restore(self.store.as_mut(), batch);
        }
        self.setting.same("the store's time", self.store.observed_time(), at(self.model.observed));
        for key in KEYS {
            self.fetch(key);
            self.scan_one(key, self.now);
        }
        self.scan_several(self.now);
        self
    }
}
