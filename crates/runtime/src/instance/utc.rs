//! Timestamps as people read them.

use std::fmt;
use std::time::Duration;

use headwater_record::Timestamp;

/// A time as `2026-11-30T09:41:07.250Z` (ISO 8601); what is before 1970 as `unknown`.
pub(super) struct Utc(pub(super) Timestamp);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.millis();
        if millis < 0 {
            return f.write_str("unknown");
        }
        let (seconds, rest) = (millis / 1000, millis % 1000);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{rest:03}Z")
    }
}

/// Year, month and day so many days after 1970 began. Years are taken to begin in March, so that a leap day is the last of one.
fn date(days: i64) -> (i64, i64, i64) {
    let since_0000_03_01 = days.saturating_add(719_468);
    let (era, day_of_era) = (since_0000_03_01 / 146_097, since_0000_03_01 % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// How long, in seconds or with milliseconds where it is short.
pub(super) struct Span(pub(super) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0 => write!(f, "{} ms", self.0.as_millis()),
            seconds @ 1..120 => write!(f, "{seconds} s"),
            seconds => write!(f, "{} min", seconds / 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        let shown = |millis| Utc(Timestamp::from_millis(millis)).to_string();
        assert_eq!(shown(-1), "unknown");
        assert_eq!(shown(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(shown(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(shown(951_868_799_999), "2000-02-29T23:59:59.999Z");
        assert_eq!(shown(951_868_800_000), "2000-03-01T00:00:00.000Z");
        assert_eq!(shown(1_709_164_800_000), "2024-02-29T00:00:00.000Z");
        assert_eq!(shown(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
        assert_eq!(shown(1_798_761_599_001), "2026-12-31T23:59:59.001Z");
        assert!(!shown(i64::MAX).is_empty());
    }

    #[test]
    fn spans_are_short() {
        let shown = |millis| Span(Duration::from_millis(millis)).to_string();
        assert_eq!([shown(250), shown(1250), shown(119_000), shown(720_000)], ["250 ms", "1 s", "119 s", "12 min"]);
    }
}
