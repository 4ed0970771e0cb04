//! Time that follows a wall clock and never goes back.

use std::time::Duration;

use crate::Timestamp;

/// What a clock shows, out of the machine's two: the wall clock, which may be set, and the one that only goes on.
///
/// When the wall clock is ahead, it is followed at once: the machine may have slept. When it was set back, this goes on at half speed
/// until the wall clock has caught up, so that no interval is negative and none lasts more than twice as long as it should.
///
/// ```
/// use headwater::record::Steady;
/// use std::time::Duration;
///
/// let mut time = Steady::at(Duration::from_secs(100));
/// assert_eq!(time.read(Duration::from_secs(4), Duration::from_secs(104)).millis(), 104_000);
/// // Set back by an hour, or as far as there is time to go back to.
/// assert_eq!(time.read(Duration::from_secs(4), Duration::ZERO).millis(), 106_000);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Steady(Duration);

impl Steady {
    /// Begins where the wall clock is, since the Unix epoch.
    pub const fn at(wall: Duration) -> Self {
        Steady(wall)
    }

    /// The time when `elapsed` has passed since the last reading and the wall clock shows `wall`, since the Unix epoch.
    pub fn read(&mut self, elapsed: Duration, wall: Duration) -> Timestamp {
        self.0 = wall.max(self.0.saturating_add(elapsed / 2));
        Timestamp::from_millis(i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Steady, Timestamp};

    #[test]
    fn a_wall_clock_that_is_set_back_is_waited_for() {
        let second = Duration::from_secs;
        let mut time = Steady::at(second(1_000));
        let mut shown = Vec::new();
        // One reading each second; after the first, the wall clock is set back by four.
        for wall in [1_001, 998, 999, 1_000, 1_001, 1_002, 1_003, 1_004, 1_005, 1_006, 1_007] {
            shown.push(time.read(second(1), second(wall)).millis());
        }
        let expected = [
            1_001_000, 1_001_500, 1_002_000, 1_002_500, 1_003_000, 1_003_500, 1_004_000, 1_004_500, 1_005_000,
            1_006_000, 1_007_000,
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_wall_clock_that_is_ahead_is_followed() {
        let mut time = Steady::at(Duration::from_secs(1_000));
        let slept = time.read(Duration::from_millis(1), Duration::from_mins(150));
        assert_eq!(slept.millis(), 9_000_000);
    }

    #[test]
    fn readings_close_to_each_other_lose_nothing() {
        let mut time = Steady::at(Duration::from_secs(1));
        // A thousand halves of a microsecond each, while the wall clock stands.
        let last = (0..2_000).map(|_| time.read(Duration::from_micros(1), Duration::from_secs(1))).last();
        assert_eq!(last.map(Timestamp::millis), Some(1_001));
    }
}
