//! What operators know of stream time, and how it outlives a restart.

use std::cell::Cell;
use std::rc::Rc;

use headwater_record::Timestamp;

use crate::TaskClock;

/// What a key of ours begins with. No store's name does, under which Java keeps numbers of its own there.
const MARK: char = '@';

/// The latest time of the records that came to an operator (Java's `observedStreamTime`), by which it tells late records and closed
/// windows. It is kept with the committed offsets, so that they are told in the same way after a restart; Java's begins anew.
///
/// Clones are of one operator: what one of them observes, all know.
#[derive(Clone, Debug)]
pub struct StreamTime(Rc<Cell<i64>>);

impl StreamTime {
    fn unknown() -> Self {
        StreamTime(Rc::new(Cell::new(Timestamp::UNKNOWN.millis())))
    }

    /// A record of this time has come: what stream time is now, milliseconds.
    #[inline]
    pub fn observe(&self, time: Timestamp) -> i64 {
        let now = self.0.get().max(time.millis());
        self.0.set(now);
        now
    }

    /// Stream time; -1 before the first record.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.millis())
    }

    /// Stream time, milliseconds; -1 before the first record.
    #[inline]
    pub fn millis(&self) -> i64 {
        self.0.get()
    }
}

/// The stream times of a task's operators, by the keys under which they are kept.
#[derive(Debug, Default)]
pub(crate) struct StreamTimes(Vec<(String, StreamTime)>);

impl StreamTimes {
    /// Of one operator more, whose store is `store`: its name stays when a program changes, where generated names of nodes do not.
    /// Operators with the same store are told apart by their order.
    pub(crate) fn add(&mut self, store: &str) -> StreamTime {
        let of_store = |number: usize| match number {
            0 => format!("{MARK}{store}"),
            _ => format!("{MARK}{store}{MARK}{number}"),
        };
        let is_free = |key: &String| self.0.iter().all(|(other, _)| other != key);
        let key = (0..=self.0.len()).map(of_store).find(is_free).unwrap_or_default();
        let time = StreamTime::unknown();
        self.0.push((key, time.clone()));
        time
    }

    /// Goes on from what was kept. What belongs to no operator any more is forgotten.
    pub(crate) fn take_over(&self, clock: &mut TaskClock) {
        for (key, time) in &self.0 {
            if let Some(kept) = clock.remembered.get(key) {
                time.observe(Timestamp::from_millis(*kept));
            }
        }
        clock.remembered.retain(|key, _| !key.starts_with(MARK) || self.0.iter().any(|(known, _)| known == key));
    }

    /// Puts all that is known to what is kept with the offsets. It goes with those of the partitions that records were taken from, or with
    /// all where time went on without one.
    pub(crate) fn keep(&self, clock: &mut TaskClock) {
        for (key, time) in self.0.iter().filter(|(_, time)| time.millis() != Timestamp::UNKNOWN.millis()) {
            match clock.remembered.get_mut(key) {
                Some(kept) => *kept = time.millis(),
                None => {
                    clock.remembered.insert(key.clone(), time.millis());
                }
            }
        }
    }

    /// Keeps nothing any more; whether there was anything to keep.
    pub(crate) fn give_up(&mut self, clock: &mut TaskClock) -> bool {
        let had = !self.0.is_empty();
        for (key, _) in self.0.drain(..) {
            clock.remembered.remove(&key);
        }
        had
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn what_is_kept_is_where_the_next_task_goes_on() {
        let (mut times, mut clock) = (StreamTimes::default(), TaskClock::default());
        let (first, second, other) = (times.add("sums"), times.add("sums"), times.add("counts"));
        assert_eq!([first.observe(at(7)), first.observe(at(5)), second.observe(at(3))], [7, 7, 3]);
        times.keep(&mut clock);
        clock.remembered.insert("sums".to_owned(), 1);
        clock.remembered.insert("@gone".to_owned(), 1);

        let mut next = StreamTimes::default();
        let (first, second, unknown) = (next.add("sums"), next.add("sums"), next.add("others"));
        next.take_over(&mut clock);
        assert_eq!([first.millis(), second.millis(), unknown.millis(), other.millis()], [7, 3, -1, -1]);
        let kept: Vec<_> = clock.remembered.into_iter().collect();
        let expected = [("@sums", 7), ("@sums@1", 3), ("sums", 1)].map(|(key, value)| (key.to_owned(), value));
        assert_eq!(kept, expected, "what Java keeps under a store's name stays");
    }
}
