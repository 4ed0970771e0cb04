//! What is not as it must be, by kind.

use std::collections::BTreeSet;
use std::fmt;

/// So many of each kind are told in full.
const TOLD: usize = 10;

/// How often each thing went wrong, and the first examples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// What must be there and is not.
    pub lost: u64,
    /// What is there more than once.
    pub doubled: u64,
    /// What came before what must be before it.
    pub reordered: u64,
    /// What is there in part.
    pub torn: u64,
    /// What must not be there at all.
    pub wrong: u64,
    /// The first of each kind.
    pub examples: Vec<String>,
}

impl Faults {
    /// Nothing went wrong.
    pub fn are_none(&self) -> bool {
        self.total() == 0
    }

    /// All together.
    pub fn total(&self) -> u64 {
        self.lost + self.doubled + self.reordered + self.torn + self.wrong
    }

    fn tell(&mut self, before: u64, what: String) {
        if before < TOLD as u64 {
            self.examples.push(what);
        }
    }

    pub(super) fn lost(&mut self, count: u64, what: String) {
        self.tell(self.lost, format!("lost: {what}"));
        self.lost += count;
    }

    pub(super) fn doubled(&mut self, count: u64, what: String) {
        self.tell(self.doubled, format!("doubled: {what}"));
        self.doubled += count;
    }

    pub(super) fn reordered(&mut self, count: u64, what: String) {
        self.tell(self.reordered, format!("reordered: {what}"));
        self.reordered += count;
    }

    pub(super) fn torn(&mut self, what: String) {
        self.tell(self.torn, format!("torn: {what}"));
        self.torn += 1;
    }

    pub(super) fn wrong(&mut self, what: String) {
        self.tell(self.wrong, format!("wrong: {what}"));
        self.wrong += 1;
    }

    /// Takes those of another.
    pub fn add(&mut self, other: Faults) {
        for (own, other) in [
            (&mut self.lost, other.lost),
            (&mut self.doubled, other.doubled),
            (&mut self.reordered, other.reordered),
            (&mut self.torn, other.torn),
            (&mut self.wrong, other.wrong),
        ] {
            *own += other;
        }
        let room = (5 * TOLD).saturating_sub(self.examples.len());
        self.examples.extend(other.examples.into_iter().take(room));
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Faults { lost, doubled, reordered, torn, wrong, examples } = self;
        write!(f, "{lost} lost, {doubled} doubled, {reordered} reordered, {torn} torn, {wrong} wrong")?;
        examples.iter().try_for_each(|example| write!(f, "\n  {example}"))
    }
}

/// Those of a key whose numbers must be 1 to `due`, each once and in this order.
pub(super) fn numbered(what: &str, seen: &[u32], due: u32) -> Faults {
    let mut faults = Faults::default();
    let (mut there, mut last) = (BTreeSet::new(), 0);
    for number in seen.iter().copied() {
        if number == 0 || number > due {
            faults.wrong(format!("{what} has {number} of {due}"));
        } else if !there.insert(number) {
            faults.doubled(1, format!("{what} has {number} again, after {last}"));
        } else if number < last {
            faults.reordered(1, format!("{what} has {number} after {last}"));
        }
        last = number;
    }
    let missing: Vec<u32> = (1..=due).filter(|number| !there.contains(number)).collect();
    if let Some(first) = missing.first() {
        faults.lost(missing.len() as u64, format!("{what} lacks {} of {due}, from {first} on", missing.len()));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_all_there_once_and_in_order_are_right() {
        assert!(numbered("key", &[1, 2, 3], 3).are_none());
        assert!(numbered("key", &[], 0).are_none());
    }

    #[test]
    fn each_kind_of_fault_is_told_apart() {
        let counts = |seen: &[u32], due| {
            let faults = numbered("key", seen, due);
            (faults.lost, faults.doubled, faults.reordered, faults.wrong)
        };
        assert_eq!(counts(&[1, 3], 3), (1, 0, 0, 0));
        assert_eq!(counts(&[1, 2], 4), (2, 0, 0, 0));
        assert_eq!(counts(&[1, 2, 2, 3], 3), (0, 1, 0, 0));
        assert_eq!(counts(&[1, 3, 2], 3), (0, 0, 1, 0));
        assert_eq!(counts(&[1, 2, 1, 2, 3], 3), (0, 2, 0, 0));
        assert_eq!(counts(&[1, 2, 9], 2), (0, 0, 0, 1));
    }
}
