//! What is expected of an output topic.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use headwater_record::{DefaultSerde, Serde as _};

use super::report::{Kind, Violation};

/// A result: its key and its value.
pub type Outcome = (Option<Vec<u8>>, Option<Vec<u8>>);

/// All results, by output topic, those of a key in their order.
pub type Expected = BTreeMap<String, Vec<Outcome>>;

type Reaches = Rc<dyn Fn(Option<&[u8]>, Option<&[u8]>) -> bool>;
type ByKey = BTreeMap<Option<Vec<u8>>, Vec<Option<Vec<u8>>>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Sequence,
    Last,
    Multiset,
    /// Whether there is a value in the end.
    Left,
}

/// An output topic, and what readers of committed records must find in it whatever goes wrong.
#[derive(Clone)]
pub struct Output {
    pub(crate) topic: String,
    pub(crate) form: Form,
    reaches: Reaches,
}

impl Output {
    fn of(topic: impl Into<String>, form: Form) -> Self {
        Output { topic: topic.into(), form, reaches: Rc::new(|expected, seen| expected == seen) }
    }

    /// Of each key, exactly these results in this order. Record caches are off then, since they leave results out.
    pub fn sequence(topic: impl Into<String>) -> Self {
        Self::of(topic, Form::Sequence)
    }

    /// Of each key, this result in the end.
    pub fn last_value(topic: impl Into<String>) -> Self {
        Self::of(topic, Form::Last)
    }

    /// Of each key, exactly these results in any order.
    pub fn multiset(topic: impl Into<String>) -> Self {
        Self::of(topic, Form::Multiset)
    }

    /// Of each key, a value in the end or none, whatever it is: what is left in a topic that the application makes itself, as the changelog
    /// of a buffer.
    pub fn left(topic: impl Into<String>) -> Self {
        Self::of(topic, Form::Left)
    }

    /// Under at-least-once, where records may be processed again, a result is there when one is that `reaches` it: of a count, one that is as
    /// great. Otherwise it must be there itself. The first argument is what is expected, the second what was seen.
    ///
    /// ```
    /// use headwater::testing::simulation::Output;
    /// let counts = Output::sequence("counts").reached(|expected: &i64, seen: &i64| seen >= expected);
    /// ```
    #[must_use]
    pub fn reached<V: DefaultSerde>(self, reaches: impl Fn(&V, &V) -> bool + 'static) -> Self {
        let serde = V::default_serde();
        let reaches = move |expected: Option<&[u8]>, seen: Option<&[u8]>| match (
            serde.deserialize("", expected),
            serde.deserialize("", seen),
        ) {
            (Ok(expected), Ok(seen)) => reaches(&expected, &seen),
            _ => false,
        };
        Output { reaches: Rc::new(reaches), ..self }
    }

    /// Compares what was `seen` with what is `expected`.
    pub(crate) fn check(&self, exactly: bool, expected: &[Outcome], seen: &[Outcome], violations: &mut Vec<Violation>) {
        let (expected, seen) = (by_key(expected), by_key(seen));
        let none = Vec::new();
        let keys: std::collections::BTreeSet<_> = expected.keys().chain(seen.keys()).collect();
        for key in keys {
            let (expected, seen) = (expected.get(key).unwrap_or(&none), seen.get(key).unwrap_or(&none));
            let found = if exactly { self.exact(expected, seen) } else { self.at_least(expected, seen) };
            if let Some(kind) = found {
                let (topic, key) = (&self.topic, text(key.as_deref()));
                let what = format!("{topic}, key {key}: expected {}, seen {}", texts(expected), texts(seen));
                violations.push(Violation { kind, what });
            }
        }
    }

    fn exact(&self, expected: &[Option<Vec<u8>>], seen: &[Option<Vec<u8>>]) -> Option<Kind> {
        if self.form == Form::Left {
            return left(expected, seen);
        }
        if self.form == Form::Last {
            let (expected, seen) = (last(expected), last(seen));
            return (expected != seen).then_some(if seen.is_none() { Kind::Lost } else { Kind::Wrong });
        }
        let (mut sorted_expected, mut sorted_seen) = (expected.to_vec(), seen.to_vec());
        sorted_expected.sort();
        sorted_seen.sort();
        if sorted_expected == sorted_seen {
            return (self.form == Form::Sequence && expected != seen).then_some(Kind::Reordered);
        }
        let count = |values: &[Option<Vec<u8>>], value| values.iter().filter(|other| *other == value).count();
        if seen.iter().any(|value| count(expected, value) == 0) {
            return Some(Kind::Wrong);
        }
        let is_lost = expected.iter().any(|value| count(seen, value) < count(expected, value));
        Some(if is_lost { Kind::Lost } else { Kind::Doubled })
    }

    fn at_least(&self, expected: &[Option<Vec<u8>>], seen: &[Option<Vec<u8>>]) -> Option<Kind> {
        let reaches =
            |expected: &Option<Vec<u8>>, seen: &Option<Vec<u8>>| (self.reaches)(expected.as_deref(), seen.as_deref());
        if self.form == Form::Left {
            return left(expected, seen);
        }
        if self.form == Form::Last {
            return match (last(expected), last(seen)) {
                (None, None) => None,
                (None, Some(_)) => Some(Kind::Wrong),
                (Some(_), None) => Some(Kind::Lost),
                (expected, seen) => (!(self.reaches)(expected, seen)).then_some(Kind::Wrong),
            };
        }
        let all_there = expected.iter().all(|expected| seen.iter().any(|seen| reaches(expected, seen)));
        if !all_there {
            return Some(Kind::Lost);
        }
        // What is made again comes to the same in the end, unless somebody who had lost the task has overwritten it.
        let is_behind = self.form == Form::Sequence
            && matches!((expected.last(), seen.last()), (Some(expected), Some(seen)) if !reaches(expected, seen));
        is_behind.then_some(Kind::Reordered)
    }
}

/// Whether there is a value in the end where there should be one.
fn left(expected: &[Option<Vec<u8>>], seen: &[Option<Vec<u8>>]) -> Option<Kind> {
    match (last(expected), last(seen)) {
        (None, Some(_)) => Some(Kind::Wrong),
        (Some(_), None) => Some(Kind::Lost),
        _ => None,
    }
}

/// The last value: that it was deleted is as good as that it never was.
fn last(values: &[Option<Vec<u8>>]) -> Option<&[u8]> {
    values.last()?.as_deref()
}

fn by_key(outcomes: &[Outcome]) -> ByKey {
    let mut by_key = ByKey::new();
    for (key, value) in outcomes {
        by_key.entry(key.clone()).or_default().push(value.clone());
    }
    by_key
}

/// Bytes as text where they are any.
pub(crate) fn text(bytes: Option<&[u8]>) -> String {
    match bytes {
        None => "null".to_owned(),
        Some(bytes) if bytes.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') => {
            String::from_utf8_lossy(bytes).into_owned()
        }
        Some(bytes) => match <[u8; 8]>::try_from(bytes) {
            Ok(number) => i64::from_be_bytes(number).to_string(),
            Err(_) => bytes.escape_ascii().to_string(),
        },
    }
}

fn texts(values: &[Option<Vec<u8>>]) -> String {
    let shown: Vec<_> = values.iter().take(40).map(|value| text(value.as_deref())).collect();
    format!("[{}{}]", shown.join(" "), if values.len() > 40 { " …" } else { "" })
}

/// Of topics that are written together, each key has as many results in each.
pub(crate) fn check_together(topics: &[String], seen: &Expected, violations: &mut Vec<Violation>) {
    let count = |topic: &String| {
        let mut counts = BTreeMap::<_, usize>::new();
        for (key, _) in seen.get(topic).into_iter().flatten() {
            *counts.entry(key.clone()).or_default() += 1;
        }
        counts
    };
    let Some((first, others)) = topics.split_first() else { return };
    let counts = count(first);
    for other in others {
        let other_counts = count(other);
        let keys: std::collections::BTreeSet<_> = counts.keys().chain(other_counts.keys()).collect();
        for key in keys {
            let (one, two) = (counts.get(key).unwrap_or(&0), other_counts.get(key).unwrap_or(&0));
            if one != two {
                let what = format!("key {}: {one} results in {first}, {two} in {other}", text(key.as_deref()));
                violations.push(Violation { kind: Kind::Torn, what });
            }
        }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("topic", &self.topic).field("form", &self.form).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(output: &Output, exactly: bool, expected: &[Option<i64>], seen: &[Option<i64>]) -> Vec<Kind> {
        let outcomes = |values: &[Option<i64>]| -> Vec<Outcome> {
            values.iter().map(|value| (None, value.map(|value| value.to_be_bytes().to_vec()))).collect()
        };
        let mut violations = Vec::new();
        output.check(exactly, &outcomes(expected), &outcomes(seen), &mut violations);
        violations.into_iter().map(|violation| violation.kind).collect()
    }

    #[test]
    fn what_was_overwritten_by_something_older_is_seen_under_at_least_once() {
        let counts = Output::sequence("counts").reached(|expected: &i64, seen: &i64| seen >= expected);
        let expected = [Some(1), Some(2)];
        assert_eq!(kinds(&counts, false, &expected, &[Some(1), Some(1), Some(3)]), []);
        assert_eq!(kinds(&counts, false, &expected, &[Some(1), Some(2), Some(1)]), [Kind::Reordered]);
        assert_eq!(kinds(&counts, false, &expected, &[Some(1)]), [Kind::Lost]);
    }

    #[test]
    fn what_is_left_is_there_or_not_whatever_it_is() {
        let left = Output::left("changelog");
        for exactly in [true, false] {
            assert_eq!(kinds(&left, exactly, &[Some(1)], &[Some(1), None, Some(2)]), []);
            assert_eq!(kinds(&left, exactly, &[], &[Some(1), None]), []);
            assert_eq!(kinds(&left, exactly, &[], &[None, Some(1)]), [Kind::Wrong]);
            assert_eq!(kinds(&left, exactly, &[Some(1)], &[Some(1), None]), [Kind::Lost]);
        }
    }
}
