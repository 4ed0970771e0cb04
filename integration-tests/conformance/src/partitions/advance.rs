//! Records at the end of the input that advance stream time in every partition, and which of them come where for certain.

use headwater::record::{Partition, partition_for_key};
use serde_json::json;

use crate::expr::{Expr, Predicate, Scope};
use crate::scenario::{Action, Input, Step};
use crate::val::Val;

/// By how much the end is later than the rest, beside all that operators wait for.
const LEAP_MS: i64 = 1_000;

/// As often as this much passes, an operator looks for closed windows.
const LOOK_MS: i64 = 1_001;

/// Letters that no program has, so that keys made of them are nobody else's.
const LETTERS: std::ops::RangeInclusive<char> = 'α'..='ω';

/// A record at the end of the input, as it comes to an operator.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    key: Val,
    /// `None` is a value that is not known, but is no null.
    value: Option<Val>,
}

/// What comes to an operator of the end of the input.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Advance {
    /// Records that come for certain.
    certain: Vec<Known>,
    /// There are no others.
    is_all: bool,
    /// No record of the rest of the input can have the key of any record of the end.
    pub(super) has_own_keys: bool,
    /// Keys are windowed; only the key inside is known.
    windowed: bool,
}

/// The time from which on all records are of the end, where operators wait for at most so long.
pub(super) fn from_ms(input: &[Input], wait_ms: i64) -> i64 {
    let last = input.iter().map(|input| input.timestamp).max().unwrap_or_default();
    last.saturating_add(wait_ms).saturating_add(LEAP_MS)
}

/// Two letters for each partition.
fn letters(partitions: Partition) -> Vec<char> {
    let of = |partition| LETTERS.filter(move |letter| place(&letter.to_string(), partitions) == partition).take(2);
    (0..partitions).flat_map(of).collect()
}

fn place(key: &str, partitions: Partition) -> Partition {
    partition_for_key(key.as_bytes(), partitions)
}

impl Advance {
    /// What comes of a topic with these serdes; nothing where they are not known.
    pub(super) fn of_topic(key: Option<&str>, value: Option<&str>, partitions: Partition) -> Advance {
        let values = |letter: char| match value {
            Some("string") => vec![Val::Text(format!("{letter}|1")), Val::Text(format!("{letter}|03"))],
            Some("long") => vec![Val::Long(4), Val::Long(1)],
            _ => Vec::new(),
        };
        let letters = letters(partitions).into_iter().filter(|_| key == Some("string"));
        let records = |letter: char| {
            let key = Val::Text(letter.to_string());
            values(letter).into_iter().map(move |value| Known { key: key.clone(), value: Some(value) })
        };
        Advance { certain: letters.flat_map(records).collect(), is_all: true, has_own_keys: true, windowed: false }
    }

    /// The steps of a topic's records: time passes before each, so that whoever looks for closed windows looks again.
    pub(super) fn steps(&self, topic: &str, from_ms: i64) -> Vec<Step> {
        let pipe = |Known { key, value }: &Known| {
            let value = value.clone().unwrap_or_default();
            let bytes = match &value {
                Val::Long(number) => number.to_be_bytes().to_vec(),
                other => other.show().into_bytes(),
            };
            let (topic, key) = (topic.to_owned(), Some(key.show().into_bytes()));
            Step::pipe(Input { topic, key, value: Some(bytes), timestamp: from_ms, headers: Vec::new() })
        };
        let look = Step {
            shown: json!({ "advance_wall_clock_ms": LOOK_MS }).to_string(),
            action: Action::AdvanceWallClock { by_ms: LOOK_MS },
        };
        self.certain.iter().flat_map(|record| [look.clone(), pipe(record)]).collect()
    }

    /// Whether something comes to every partition of what is partitioned by the keys.
    pub(super) fn covers(&self, partitions: Partition) -> bool {
        let at = |partition| self.certain.iter().any(|record| place(&record.key.show(), partitions) == partition);
        (0..partitions).all(at)
    }

    /// What comes of both.
    pub(super) fn and(&self, other: &Advance) -> Advance {
        Advance {
            certain: [self.certain.as_slice(), &other.certain].concat(),
            is_all: self.is_all && other.is_all,
            has_own_keys: self.has_own_keys && other.has_own_keys,
            windowed: self.windowed || other.windowed,
        }
    }

    /// None of it comes for certain.
    pub(super) fn perhaps(self) -> Advance {
        let is_all = self.is_all && self.certain.is_empty();
        Advance { certain: Vec::new(), is_all, ..self }
    }

    /// Those of which a predicate is what it should be.
    pub(super) fn filtered(&self, predicate: &str, holds: bool) -> Advance {
        let Ok(parsed) = Predicate::parse(predicate) else { return self.clone().perhaps() };
        let known = |record: &Known| record.seen_by(predicate, self.windowed);
        let passes =
            |record: &&Known| known(record).is_some_and(|(k, v)| parsed.test(Scope::kv(&k, &v)).ok() == Some(holds));
        Advance {
            certain: self.certain.iter().filter(passes).cloned().collect(),
            is_all: self.is_all && self.certain.iter().all(|record| known(record).is_some()),
            ..*self
        }
    }

    /// With values from an expression; what may have become null does not come for certain.
    pub(super) fn valued(&self, value: &str) -> Advance {
        let Ok(parsed) = Expr::parse(value) else { return self.clone().perhaps() };
        self.mapped(|record| {
            let value = match record.seen_by(value, self.windowed) {
                Some((k, v)) => Some(parsed.eval(Scope::kv(&k, &v)).ok().filter(|made| !made.is_null())?),
                None if value.contains("null") || value.starts_with("header:") => return None,
                None => None,
            };
            Some(Known { key: record.key.clone(), value })
        })
    }

    /// With keys from an expression; what has a key that is not known does not come for certain.
    pub(super) fn keyed(&self, key: &str) -> Advance {
        let parsed = Expr::parse(key).ok();
        let keyed = self.mapped(|record| {
            let key = match record.seen_by(key, self.windowed) {
                Some((k, v)) => parsed.as_ref()?.eval(Scope::kv(&k, &v)).ok()?,
                None if self.windowed && key == "k > w_key" => record.key.clone(),
                None => return None,
            };
            matches!(key, Val::Text(_)).then(|| Known { key, value: record.value.clone() })
        });
        let is_own = |record: &Known| record.key.show().starts_with(|first| LETTERS.contains(&first));
        let has_own_keys = keyed.has_own_keys && keyed.is_all && keyed.certain.iter().all(is_own);
        Advance { has_own_keys, windowed: false, ..keyed }
    }

    /// With keys and values from two expressions that see the record as it was.
    pub(super) fn keyed_and_valued(&self, key: &str, value: &str) -> Advance {
        let of = |record: &Known| Advance { certain: vec![record.clone()], ..*self };
        let mapped = self.mapped(|record| {
            let Known { key, .. } = of(record).keyed(key).certain.pop()?;
            let Known { value, .. } = of(record).valued(value).certain.pop()?;
            Some(Known { key, value })
        });
        Advance { has_own_keys: self.keyed(key).has_own_keys, windowed: false, ..mapped }
    }

    /// In windows, with values of a state.
    pub(super) fn in_windows(&self) -> Advance {
        Advance { windowed: true, ..self.with_unknown_values() }
    }

    /// With values that are not known, such as those of a state.
    pub(super) fn with_unknown_values(&self) -> Advance {
        self.mapped(|record| Some(Known { key: record.key.clone(), value: None }))
    }

    fn mapped(&self, mapped: impl Fn(&Known) -> Option<Known>) -> Advance {
        let certain: Vec<Known> = self.certain.iter().filter_map(mapped).collect();
        let is_all = self.is_all && certain.len() == self.certain.len();
        Advance { certain, is_all, ..*self }
    }
}

impl Known {
    /// The key and value that a function sees, where it sees only what is known.
    fn seen_by(&self, function: &str, windowed: bool) -> Option<(Val, Val)> {
        let source = function.split(" > ").next().unwrap_or_default();
        match (source, &self.value) {
            ("k", value) if !windowed => Some((self.key.clone(), value.clone().unwrap_or_default())),
            ("v", Some(value)) => Some((self.key.clone(), value.clone())),
            _ => None,
        }
    }
}
