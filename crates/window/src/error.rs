//! Windows that make no sense.

/// Why windows cannot be used. The texts are Java's.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WindowError {
    /// Of [`TimeWindows`](crate::TimeWindows).
    #[error("Window size (sizeMs) must be larger than zero.")]
    SizeZero,
    /// Of [`TimeWindows`](crate::TimeWindows).
    #[error(
        "Window advancement interval should be more than zero and less than window duration which is {size_ms} ms, but given advancement interval is: {advance_ms} ms"
    )]
    Advance {
        /// The windows' size.
        size_ms: i64,
        /// The interval between two of them.
        advance_ms: i64,
    },
    /// Of [`JoinWindows`](crate::JoinWindows).
    #[error("Window interval (ie, beforeMs+afterMs) must not be negative.")]
    NegativeInterval,
    /// Of [`UnlimitedWindows`](crate::UnlimitedWindows).
    #[error("Window start time (startMs) cannot be negative.")]
    NegativeStart,
}

headwater_record::debug_as_text!(WindowError);
