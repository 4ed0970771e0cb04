//! Which open batches leave where `linger.ms` is not set: those whose broker is free. No socket and no clock.
//!
//! A broker is free when it has answered all that was handed over for it. While it has not, records gather: it works on one request of a
//! connection at a time, so what came behind would wait there, in batches of its own, and not be stored any sooner. So batches are as
//! large as the broker is slow, and no record waits for others that may not come.
//!
//! Partitions whose leader is not known count as one broker's.
#![forbid(unsafe_code)]

/// What is under way, and to whom.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    places: Vec<Place>,
    /// How many records each broker has to answer; the first are those of partitions whose leader is not known.
    brokers: Vec<u64>,
    /// How many records all partitions together have no answer of yet.
    unanswered: u64,
}

#[derive(Debug, Default)]
struct Place {
    /// Where among the brokers.
    broker: usize,
    records: u64,
}

impl Gathering {
    /// There is one more partition.
    pub(super) fn add(&mut self) {
        self.places.push(Place::default());
    }

    /// The partition is led by the broker of this number from now on, or by nobody that is known.
    pub(super) fn led(&mut self, place: usize, leader: Option<usize>) {
        let Some(place) = self.places.get_mut(place) else { return };
        let (from, to) = (place.broker, leader.map_or(0, |number| number + 1));
        place.broker = to;
        let records = place.records;
        self.change(from, |under_way| under_way.saturating_sub(records));
        self.change(to, |under_way| under_way + records);
    }

    /// So many records of the partition were handed over.
    pub(super) fn left(&mut self, place: usize, records: u64) {
        let Some(place) = self.places.get_mut(place) else { return };
        place.records += records;
        self.unanswered += records;
        let broker = place.broker;
        self.change(broker, |under_way| under_way + records);
    }

    /// It is known what became of so many of them. Batches may be answered in parts.
    pub(super) fn answered(&mut self, place: usize, records: u64) {
        let Some(place) = self.places.get_mut(place) else { return };
        let of_these = records.min(place.records);
        place.records -= of_these;
        self.unanswered -= of_these;
        let broker = place.broker;
        self.change(broker, |under_way| under_way.saturating_sub(of_these));
    }

    /// Whether records of the partition have no answer yet.
    pub(super) fn is_under_way(&self, place: usize) -> bool {
        self.places.get(place).is_some_and(|place| place.records > 0)
    }

    /// How many records have no answer yet.
    pub(super) fn unanswered(&self) -> u64 {
        self.unanswered
    }

    /// Whether a batch of the partition leaves now.
    pub(super) fn is_free(&self, place: usize) -> bool {
        let broker = self.places.get(place).map_or(0, |place| place.broker);
        self.brokers.get(broker).is_none_or(|under_way| *under_way == 0)
    }

    fn change(&mut self, broker: usize, to: impl FnOnce(u64) -> u64) {
        if self.brokers.len() <= broker {
            self.brokers.resize(broker + 1, 0);
        }
        if let Some(under_way) = self.brokers.get_mut(broker) {
            *under_way = to(*under_way);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Gathering;

    /// Partitions with these leaders.
    fn led_by(leaders: &[Option<usize>]) -> Gathering {
        let mut gathering = Gathering::default();
        for (place, leader) in leaders.iter().enumerate() {
            gathering.add();
            gathering.led(place, *leader);
        }
        gathering
    }

    fn free(gathering: &Gathering) -> Vec<usize> {
        (0..gathering.places.len()).filter(|place| gathering.is_free(*place)).collect()
    }

    #[test]
    fn what_is_under_way_holds_back_what_goes_to_the_same_broker() {
        let mut gathering = led_by(&[Some(0), Some(1), Some(0), None]);
        assert_eq!(free(&gathering), [0, 1, 2, 3]);
        gathering.left(0, 3);
        assert_eq!(free(&gathering), [1, 3]);
        gathering.left(2, 1);
        gathering.answered(0, 3);
        assert_eq!(free(&gathering), [1, 3], "another partition of it has no answer yet");
        gathering.answered(2, 1);
        assert_eq!(free(&gathering), [0, 1, 2, 3]);
    }

    #[test]
    fn a_batch_is_under_way_until_the_last_of_its_parts_is_answered() {
        let mut gathering = led_by(&[Some(0)]);
        gathering.left(0, 4);
        gathering.left(0, 2);
        for records in [2, 2, 1] {
            gathering.answered(0, records);
            assert!(free(&gathering).is_empty());
        }
        gathering.answered(0, 1);
        assert_eq!(free(&gathering), [0]);
    }

    /// Of one partition more is said than of all others together: nothing of those is answered by that.
    #[test]
    fn whatever_one_partition_answers_the_others_are_under_way() {
        let mut gathering = led_by(&[Some(0), Some(1)]);
        gathering.left(0, 2);
        gathering.left(1, 3);
        gathering.answered(0, 9);
        gathering.answered(0, 9);
        assert!(gathering.unanswered() == 3 && gathering.is_under_way(1));
        assert_eq!(free(&gathering), [0]);
        gathering.answered(1, 3);
        assert_eq!(gathering.unanswered(), 0);
    }

    #[test]
    fn those_whose_leader_is_not_known_wait_together() {
        let mut gathering = led_by(&[None, None, Some(4)]);
        gathering.left(0, 1);
        assert_eq!(free(&gathering), [2]);
        gathering.led(1, Some(0));
        assert_eq!(free(&gathering), [1, 2]);
    }

    #[test]
    fn what_is_under_way_goes_with_its_partition_to_another_leader() {
        let mut gathering = led_by(&[Some(0), Some(0), Some(1)]);
        gathering.left(0, 5);
        gathering.led(0, None);
        assert_eq!(free(&gathering), [1, 2]);
        gathering.led(0, Some(1));
        assert_eq!(free(&gathering), [1]);
        assert!(gathering.is_under_way(0) && !gathering.is_under_way(1));
        gathering.answered(0, 5);
        assert!(!gathering.is_under_way(0) && gathering.unanswered() == 0);
        assert_eq!(free(&gathering), [0, 1, 2]);
    }
}
