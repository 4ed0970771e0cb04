//! The outputs as readers saw them, against what must be.

use std::collections::{BTreeMap, BTreeSet};

use super::application::{Extent, GROUPS, JOINED, TOGETHER, WINDOWS};
use super::faults::{Faults, numbered};
use super::input::{Expected, LAST};

/// What a row of the join says: the event's number, its account, and that one's version.
type Row = (u32, String, u32);

/// What was seen of all outputs, by key in the order in which it was there.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    extent: Extent,
    /// By topic and key, of all topics but the joined.
    numbers: BTreeMap<&'static str, BTreeMap<String, Vec<u32>>>,
    rows: BTreeMap<String, Vec<Row>>,
    /// How many were seen.
    pub(super) count: u64,
    /// How many of the first output.
    pub(super) events: u64,
    unreadable: Vec<String>,
}

impl Seen {
    pub(super) fn nothing(extent: Extent) -> Self {
        let (numbers, rows, unreadable) = Default::default();
        Seen { extent, numbers, rows, count: 0, events: 0, unreadable }
    }

    pub(super) fn take(&mut self, name: &'static str, key: String, value: Option<&str>) {
        if key.starts_with(LAST) {
            return;
        }
        self.count += 1;
        self.events += u64::from(name == TOGETHER[0]);
        let words: Vec<&str> = value.unwrap_or_default().split(' ').collect();
        let number = |word: &str| word.parse::<u32>().ok();
        match (words.first().and_then(|word| number(word)), &words[..]) {
            (Some(event), [_, account, version]) if name == JOINED => {
                let row = (event, (*account).to_owned(), number(version).unwrap_or_default());
                self.rows.entry(key).or_default().push(row);
            }
            // Of an event whose account was not there yet.
            _ if name == JOINED && value.is_none() => {}
            (Some(number), _) if name != JOINED => {
                self.numbers.entry(name).or_default().entry(key).or_default().push(number);
            }
            _ => self.unreadable.push(format!("{name}: {key} is {value:?}")),
        }
    }

    /// Whether everything is there that must come.
    pub(super) fn is_complete(&self, expected: &Expected) -> bool {
        let of = |name: &str| self.numbers.get(name).into_iter().flatten().map(|(_, seen)| seen.len()).sum::<usize>();
        let due = expected.records() as usize;
        let windows = self.extent == Extent::Together || of(WINDOWS) >= expected.windows.len();
        self.extent.numbered().all(|name| of(name) >= due) && windows && self.unjoined(expected).next().is_none()
    }

    /// The keys whose last row is not what it must be.
    fn unjoined<'a>(&'a self, expected: &'a Expected) -> impl Iterator<Item = &'a String> {
        let keys = expected.events.iter().filter(|_| self.extent == Extent::Everything);
        let wrong = keys.filter(|(key, events)| {
            let due = events.last().map(|account| {
                (events.len() as u32, account.clone(), expected.versions.get(account).copied().unwrap_or_default())
            });
            self.rows.get(*key).and_then(|rows| rows.last()) != due.as_ref()
        });
        wrong.map(|(key, _)| key)
    }

    /// What is not as it must be.
    pub(super) fn faults(&self, expected: &Expected) -> Faults {
        let mut faults = Faults::default();
        let none = BTreeMap::new();
        let of = |name: &str| self.numbers.get(name).unwrap_or(&none);
        for name in self.extent.numbered() {
            let due: BTreeMap<&String, u32> = match name {
                GROUPS => expected.groups.iter().map(|(key, count)| (key, *count)).collect(),
                _ => expected.events.iter().map(|(key, events)| (key, events.len() as u32)).collect(),
            };
            let keys: BTreeSet<&String> = due.keys().copied().chain(of(name).keys()).collect();
            for key in keys {
                let seen = of(name).get(key).map_or(&[][..], Vec::as_slice);
                faults.add(numbered(&format!("{name}: {key}"), seen, due.get(key).copied().unwrap_or_default()));
            }
        }
        self.torn(expected, &mut faults);
        if self.extent == Extent::Everything {
            closed(expected, of(WINDOWS), &mut faults);
            self.joined(expected, &mut faults);
        }
        for what in &self.unreadable {
            faults.wrong(what.clone());
        }
        faults
    }

    fn torn(&self, expected: &Expected, faults: &mut Faults) {
        for (key, number, there) in self.torn_events(expected) {
            faults.torn(format!("event {number} of {key} is in {there} of {TOGETHER:?}"));
        }
    }

    /// Events of which some of the outputs that one transaction writes are there, and some are not: the key, the number, and in how
    /// many it is.
    pub(super) fn torn_events(&self, expected: &Expected) -> Vec<(String, u32, usize)> {
        let mut torn = Vec::new();
        for (key, events) in &expected.events {
            let of = |name: &&str| -> BTreeSet<u32> {
                self.numbers.get(*name).and_then(|keys| keys.get(key)).into_iter().flatten().copied().collect()
            };
            let together: Vec<BTreeSet<u32>> = TOGETHER.iter().map(of).collect();
            for number in 1..=events.len() as u32 {
                let there = together.iter().filter(|numbers| numbers.contains(&number)).count();
                if there > 0 && there < together.len() {
                    torn.push((key.clone(), number, there));
                }
            }
        }
        torn
    }

    /// Rows of a key follow each other by event, then by version; each pair comes once.
    fn joined(&self, expected: &Expected, faults: &mut Faults) {
        for (key, rows) in &self.rows {
            let accounts = expected.events.get(key).map_or(&[][..], Vec::as_slice);
            let mut last: Option<&Row> = None;
            for row in rows {
                let (event, account, version) = row;
                let named = accounts.get((*event as usize).wrapping_sub(1));
                if named != Some(account) || expected.versions.get(account).is_none_or(|last| version > last) {
                    faults.wrong(format!("{key} is joined as {row:?}, and names {named:?}"));
                }
                let place = |row: &Row| (row.0, row.2);
                if let Some(last) = last.filter(|last| place(row) <= place(last)) {
                    let what = format!("{key} is joined as {row:?} after {last:?}");
                    if row == last { faults.doubled(1, what) } else { faults.reordered(1, what) }
                }
                last = Some(row);
            }
        }
        for key in self.unjoined(expected) {
            let last = self.rows.get(key).and_then(|rows| rows.last());
            faults.lost(1, format!("the last row of {key} is {last:?}"));
        }
    }
}

/// Each window closes once.
fn closed(expected: &Expected, seen: &BTreeMap<String, Vec<u32>>, faults: &mut Faults) {
    let keys: BTreeSet<&String> = expected.windows.keys().chain(seen.keys()).collect();
    for key in keys {
        let (due, seen) = (expected.windows.get(key), seen.get(key).map_or(&[][..], Vec::as_slice));
        match (due, seen) {
            (Some(due), [count]) if count == due => {}
            (Some(_), []) => faults.lost(1, format!("the window {key} never closed")),
            (Some(due), [count]) => faults.wrong(format!("the window {key} counts {count}, not {due}")),
            (Some(_), _) => faults.doubled(seen.len() as u64 - 1, format!("the window {key} closed as {seen:?}")),
            (None, _) => faults.wrong(format!("there is no window {key}: {seen:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two events of one key, of two accounts, in one window.
    fn expected() -> Expected {
        let each = |values: &[(&str, u32)]| values.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect();
        Expected {
            events: BTreeMap::from([("k".to_owned(), vec!["a".to_owned(), "b".to_owned()])]),
            groups: each(&[("a", 1), ("b", 1)]),
            windows: each(&[("k@0", 2)]),
            versions: each(&[("a", 1), ("b", 2)]),
        }
    }

    const RIGHT: [(&str, &str, &str); 12] = [
        ("left", "k", "1 a"),
        ("right", "k", "1 a"),
        ("counts", "k", "1"),
        ("left", "k", "2 b"),
        ("right", "k", "2 b"),
        ("counts", "k", "2"),
        ("groups", "a", "1"),
        ("groups", "b", "1"),
        ("windows", "k@0", "2"),
        ("joined", "k", "1 a 1"),
        ("joined", "k", "2 b 1"),
        ("joined", "k", "2 b 2"),
    ];

    /// Lost, doubled, reordered, torn and wrong.
    fn of(records: &[(&'static str, &str, &str)]) -> [u64; 5] {
        let mut seen = Seen::nothing(Extent::Everything);
        for (name, key, value) in records {
            seen.take(name, (*key).to_owned(), Some(value));
        }
        let faults = seen.faults(&expected());
        [faults.lost, faults.doubled, faults.reordered, faults.torn, faults.wrong]
    }

    #[test]
    fn what_is_as_it_must_be_is_complete_and_without_faults() {
        let mut seen = Seen::nothing(Extent::Everything);
        for (at, (name, key, value)) in RIGHT.iter().enumerate() {
            assert!(!seen.is_complete(&expected()), "{at}");
            seen.take(name, (*key).to_owned(), Some(value));
        }
        seen.take("left", format!("{LAST}0"), Some("1 last"));
        assert!(seen.is_complete(&expected()));
        assert!(seen.faults(&expected()).are_none());
    }

    #[test]
    fn whatever_is_missing_is_lost_or_torn() {
        for (at, missing) in RIGHT.iter().enumerate() {
            let rest: Vec<_> =
                RIGHT.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, one)| *one).collect();
            let [lost, doubled, reordered, torn, wrong] = of(&rest);
            // Rows before the last of a key may be passed over: another came before them.
            let (due_lost, due_torn) = (u64::from(!(9..11).contains(&at)), u64::from(at < 6));
            assert_eq!([lost, doubled, reordered, torn, wrong], [due_lost, 0, 0, due_torn, 0], "without {missing:?}");
        }
    }

    #[test]
    fn whatever_comes_again_is_doubled_or_out_of_its_order() {
        for (at, again) in RIGHT.iter().enumerate() {
            let all = [&RIGHT[..], &[*again]].concat();
            let [lost, doubled, reordered, torn, wrong] = of(&all);
            assert_eq!((doubled + reordered, torn, wrong), (1, 0, 0), "{again:?} again");
            // The last row of a key is then an old one.
            assert_eq!(lost, u64::from((9..11).contains(&at)), "{again:?} again");
        }
    }

    #[test]
    fn what_must_not_be_there_is_wrong() {
        for wrong in [("left", "k", "3 a"), ("windows", "k@7", "1"), ("groups", "c", "1"), ("counts", "k", "many")] {
            assert_eq!(of(&[&RIGHT[..], &[wrong]].concat()), [0, 0, 0, 0, 1], "{wrong:?}");
        }
        let mut other = RIGHT;
        other[8] = ("windows", "k@0", "1");
        assert_eq!(of(&other), [0, 0, 0, 0, 1]);
    }
}
