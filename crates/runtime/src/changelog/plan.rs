//! What is to be read of a changelog.

use headwater_record::Offset;

/// What a changelog holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogBounds {
    /// Offset of the first record that is still there.
    pub earliest: Offset,
    /// The offset after the last record, aborted ones included.
    pub end: Offset,
    /// For a topic that is read as input too: up to where the application has read it. The store must not be ahead of that.
    pub limit: Option<Offset>,
}

/// The part of a changelog that a store does not contain yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoreRange {
    /// The first record to apply.
    pub from: Offset,
    /// The one after the last; not before `from`.
    pub to: Offset,
}

impl RestoreRange {
    /// How many offsets are to be read.
    pub fn remaining(&self) -> u64 {
        u64::try_from(self.to.value().saturating_sub(self.from.value())).unwrap_or(0)
    }
}

/// The store contains what the changelog never had, or the changelog has lost what the store does not contain.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store goes on at offset {next}, the changelog holds {earliest} to {end}")]
pub struct Truncated {
    /// Where the store would go on.
    pub next: Offset,
    /// The log's first offset.
    pub earliest: Offset,
    /// The log's end.
    pub end: Offset,
}

headwater_record::debug_as_text!(Truncated);

/// What a store that contains the changelog up to and with `committed` has still to apply.
///
/// # Errors
/// [`Truncated`] when the changelog does not hold the record after `committed` and is not about to.
pub fn restore_range(committed: Option<Offset>, log: LogBounds) -> Result<RestoreRange, Truncated> {
    let from = match committed {
        None => log.earliest,
        Some(committed) => {
            let next = committed.next();
            if next < log.earliest || next > log.end {
                return Err(Truncated { next, earliest: log.earliest, end: log.end });
            }
            next
        }
    };
    let to = log.limit.map_or(log.end, |limit| limit.min(log.end));
    Ok(RestoreRange { from, to: to.max(from) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(committed: Option<i64>, earliest: i64, end: i64, limit: Option<i64>) -> Option<(i64, i64)> {
        let log = LogBounds { earliest: Offset::new(earliest), end: Offset::new(end), limit: limit.map(Offset::new) };
        let range = restore_range(committed.map(Offset::new), log).ok()?;
        Some((range.from.value(), range.to.value()))
    }

    #[test]
    fn a_store_goes_on_after_the_last_record_it_contains() {
        assert_eq!(range(None, 0, 10, None), Some((0, 10)));
        assert_eq!(range(None, 3, 10, None), Some((3, 10)));
        assert_eq!(range(Some(6), 0, 10, None), Some((7, 10)));
        assert_eq!(range(Some(9), 0, 10, None), Some((10, 10)));
        assert_eq!(range(Some(9), 10, 10, None), Some((10, 10)), "all it contains may be deleted from the log");
        assert_eq!(range(None, 0, 0, None), Some((0, 0)));
    }

    #[test]
    fn a_store_that_the_log_does_not_reach_is_restored_anew() {
        assert_eq!(range(Some(10), 0, 10, None), None, "beyond the end: another log");
        assert_eq!(range(Some(4), 6, 10, None), None, "a record in between is lost");
        assert_eq!(range(Some(5), 6, 10, None), Some((6, 10)));
    }

    #[test]
    fn a_source_topic_is_applied_as_far_as_the_application_has_read_it() {
        assert_eq!(range(None, 0, 10, Some(4)), Some((0, 4)));
        assert_eq!(range(None, 0, 10, Some(40)), Some((0, 10)));
        assert_eq!(range(Some(6), 0, 10, Some(4)), Some((7, 7)), "what it contains already stays");
        assert_eq!(range(None, 0, 10, Some(0)), Some((0, 0)));
    }
}
