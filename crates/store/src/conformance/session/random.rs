//! Random writes and reads against a model that keeps everything, and looks through all of it.

use std::collections::BTreeMap;

use headwater_record::{Offset, OwnedRecord};
use headwater_window::key_format::put_session;

use super::super::numbers::Numbers;
use super::{Setting, at, fetch, kind, part, put, query, record, scan};
use crate::RowFormat;
use crate::bytes::{KeySelection, Order, Put, SessionBytes, SessionQuery};

/// End, key and start of a session.
type Place = (i64, &'static str, i64);

#[derive(Debug)]
struct Model {
    retention: i64,
    observed: i64,
    rows: BTreeMap<Place, String>,
}

impl Model {
    /// What comes of a put; `None` where the make of store decides, since on disk whole segments are forgotten.
    fn expects(&self, end: i64) -> Option<Put> {
        let horizon = self.observed.max(end) - self.retention;
        match end {
            _ if end > horizon => Some(Put::Stored),
            _ if end <= horizon - self.retention / 2 => Some(Put::Expired),
            _ => None,
        }
    }

    fn is_read(&self, end: i64) -> bool {
        end > self.observed - self.retention
    }

    fn put(&mut self, place: Place, value: Option<&str>) {
        self.observed = self.observed.max(place.0);
        match value {
            Some(value) => self.rows.insert(place, value.to_owned()),
            None => self.rows.remove(&place),
        };
    }

    fn fetch(&self, key: &'static str, (start, end): (i64, i64)) -> Option<String> {
        self.rows.get(&(end, key, start)).filter(|_| self.is_read(end)).cloned()
    }

    /// In the order of their texts.
    fn scan(&self, query: SessionQuery<'_>) -> Vec<String> {
        let wanted = |(end, key, start): &Place| {
            let in_time = query.earliest_end <= at(*end) && at(*end) <= query.latest_end;
            self.is_read(*end) && in_time && at(*start) <= query.latest_start && query.keys.contains(key.as_bytes())
        };
        let rows = self.rows.iter().filter(|(place, _)| wanted(place));
        let mut found: Vec<_> = rows.map(|((end, key, start), value)| format!("{key}@{start}/{end}={value}")).collect();
        found.sort();
        found
    }
}

/// The end in the text of a session.
fn end_of(session: &str) -> i64 {
    session.split(['/', '=']).nth(1).and_then(|end| end.parse().ok()).unwrap_or(i64::MIN)
}

const KEYS: [&str; 5] = ["", "a", "a\0", "ab", "b"];
const STEPS: usize = 400;

pub(super) fn answers_as_the_model(setting: &Setting<'_>) {
    for (seed, retention) in [4_i64, 20, 100, 2000].into_iter().enumerate() {
        for time_ordered in [false, true] {
            let setting = part(&setting.part(&retention.to_string()), time_ordered);
            let store = setting.session(kind(retention.unsigned_abs(), time_ordered), RowFormat::Plain);
            let model = Model { retention, observed: -1, rows: BTreeMap::new() };
            let numbers = Numbers(seed as u64);
            let mut run = Run { setting, time_ordered, numbers, model, now: 0, log: Vec::new(), store };
            for step in 0..STEPS {
                run = run.step(step);
            }
        }
    }
}

struct Run<'a> {
    setting: Setting<'a>,
    time_ordered: bool,
    numbers: Numbers,
    model: Model,
    now: i64,
    log: Vec<OwnedRecord>,
    store: Box<dyn SessionBytes>,
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
            1 => self.numbers.below(4),
            _ => self.numbers.below(2 * retention),
        };
        let (key, end) = (self.key(), (self.now - back).max(0));
        let start = (end - self.numbers.below(3)).max(0);
        match self.numbers.below(20) {
            0..=9 => self.put(key, (start, end), step),
            10..=11 => self.fetch(key, end),
            12..=17 => self.scan(end),
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

    fn put(&mut self, key: &'static str, (start, end): (i64, i64), step: usize) {
        let value = match self.numbers.below(10) {
            0..=3 => None,
            4 => Some(String::new()),
            _ => Some(step.to_string()),
        };
        let found = put(&self.setting, self.store.as_mut(), key, (start, end), value.as_deref());
        let expected = self.model.expects(end).unwrap_or(found);
        let what = format!("step {step}: what putting {value:?} for {key:?} from {start} to {end} returns");
        self.setting.same(&what, found, expected);
        if found == Put::Expired {
            return;
        }
        self.model.put((end, key, start), value.as_deref());
        let mut row_key = key.as_bytes().to_vec();
        put_session(at(start), at(end), &mut row_key);
        self.log.push(record(&row_key, value.as_deref(), end, Vec::new()));
    }

    fn fetch(&self, key: &'static str, end: i64) {
        let oldest = self.model.observed - self.model.retention;
        for end in (oldest - 1..oldest + 3).chain(end - 2..=end + 2).filter(|end| *end >= 0) {
            for start in (end - 2).max(0)..=end {
                let found = fetch(&self.setting, self.store.as_ref(), key, (start, end));
                let expected = self.model.fetch(key, (start, end));
                self.setting.same(&format!("{key:?} from {start} to {end}"), found, expected);
            }
        }
    }

    fn scan(&mut self, end: i64) {
        let mut bound = || (self.numbers.below(3) > 0).then(|| self.key().as_bytes());
        let keys = match (bound(), bound()) {
            (Some(one), _) if self.numbers.below(2) == 0 => KeySelection::One(one),
            (from, to) => KeySelection::Between(from, to),
        };
        let mut latest = || if self.numbers.below(2) == 0 { i64::MAX } else { end - 1 + self.numbers.below(4) };
        let (latest_end, latest_start) = (latest(), latest());
        let earliest_end = (end - self.numbers.below(self.model.retention)).max(0);
        let query = query(keys, earliest_end, latest_end, latest_start);
        let forward = scan(&self.setting, self.store.as_ref(), query, Order::Forward, 1000);
        // Their order is for the make of store to say, and whether sessions that have closed are found after their retention.
        let mut found: Vec<_> = forward.iter().filter(|session| self.model.is_read(end_of(session))).cloned().collect();
        found.sort();
        self.setting.same(&format!("what {query:?} finds"), found, self.model.scan(query));
        if matches!(keys, KeySelection::One(_)) {
            let sorted = forward.is_sorted_by_key(|session| end_of(session));
            self.setting.same("the sessions of a key come by their ends", sorted, true);
        }
        let limit = 1 + self.numbers.below(4) as usize;
        let found = scan(&self.setting, self.store.as_ref(), query, Order::Forward, limit);
        self.setting.same(&format!("what {query:?} finds, {limit} at a time"), &found, &forward);
        let mut found = scan(&self.setting, self.store.as_ref(), query, Order::Backward, limit);
        found.reverse();
        self.setting.same(&format!("what {query:?} finds, {limit} at a time, backward"), found, forward);
    }

    /// Opens the store again, and restores what it does not have: all of it, when it is not persistent.
    fn restart(mut self) -> Self {
        drop(self.store);
        let kind = kind(self.model.retention.unsigned_abs(), self.time_ordered);
        self.store = self.setting.session(kind, RowFormat::Plain);
        let offset = self.setting.done("committed_offset", self.store.committed_offset());
        let first = offset.map_or(0, |offset| offset.next().value() as usize);
        for batch in self.log.get(first..).unwrap_or_default().chunks(50) {
            self.setting.restore(self.store.as_mut(), batch);
        }
        self.setting.same("the store's time", self.store.observed_time(), at(self.model.observed));
        for key in KEYS {
            self.fetch(key, self.now);
            self.scan(self.now);
        }
        self
    }
}
