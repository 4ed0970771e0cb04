//! Which windows a record falls into and when they close, as recorded from Java in the scenarios named.

use std::time::Duration;

use headwater_record::Timestamp;
use headwater_window::{JoinWindows, SessionWindows, SlidingWindows, TimeWindows, UnlimitedWindows, Window};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn starts(windows: &TimeWindows, timestamp: i64) -> Vec<i64> {
    windows.windows_for(at(timestamp)).map(|window| window.start.millis()).collect()
}

#[test]
fn a_record_falls_into_the_hopping_windows_that_java_finds() {
    // window/hopping.json
    let windows = TimeWindows::of_size_and_grace(ms(10), ms(20)).advance_by(ms(4));
    assert_eq!(starts(&windows, 0), [0]);
    assert_eq!(starts(&windows, 11), [4, 8]);
    assert_eq!(starts(&windows, 4), [0, 4]);
    assert_eq!(starts(&windows, 7), [0, 4]);
    assert_eq!(starts(&windows, 40), [32, 36, 40]);
    // Of the windows of 13 at stream time 40, only the one from 12 on is open; of 9, none.
    let open = |timestamp: i64| -> Vec<i64> {
        let open = windows.windows_for(at(timestamp)).filter(|window| !windows.is_closed(*window, at(40)));
        open.map(|window| window.start.millis()).collect()
    };
    assert_eq!(open(13), [12]);
    assert!(open(9).is_empty());
}

#[test]
fn a_tumbling_window_is_closed_when_its_grace_is_over() {
    // window/tumbling-grace-uncached.json: at stream time 14 the window up to 10 takes a record, at 15 it does not.
    let windows = TimeWindows::of_size_and_grace(ms(10), ms(5));
    assert_eq!(starts(&windows, 9), [0]);
    assert!(!windows.is_closed(Window::of_millis(0, 10), at(14)));
    assert!(windows.is_closed(Window::of_millis(0, 10), at(15)));
    assert_eq!(windows.retention(), ms(15));
}

#[test]
fn a_window_at_the_end_of_time_ends_there() {
    let windows = TimeWindows::of_size_with_no_grace(ms(10));
    let last = windows.windows_for(Timestamp::MAX).last().unwrap();
    assert_eq!(last.end, Timestamp::MAX);
    assert_eq!(starts(&windows, -1), [] as [i64; 0]);
}

#[test]
fn an_unlimited_window_begins_where_it_is_told_to() {
    // window/unlimited.json
    let windows = UnlimitedWindows::of().start_on(at(5));
    assert_eq!(windows.window_for(at(4)), None);
    assert_eq!(windows.window_for(at(100_000)), Some(Window::of_millis(5, i64::MAX)));
}

#[test]
fn sliding_and_session_windows_close_a_millisecond_later_than_time_windows() {
    let sliding = SlidingWindows::of_time_difference_and_grace(ms(10), ms(5));
    assert!(!sliding.is_late(at(0), at(15)));
    assert!(sliding.is_late(at(0), at(16)));
    assert_eq!(sliding.retention(), ms(25));
    let session = SessionWindows::of_inactivity_gap_and_grace(ms(10), ms(5));
    assert!(!session.is_closed(Window::of_millis(0, 0), at(15)));
    assert!(session.is_closed(Window::of_millis(0, 0), at(16)));
    assert_eq!(session.retention(), ms(15));
    assert_eq!(session.reach(at(20)), (at(10), at(30)));
}

#[test]
fn sessions_merge_into_the_least_one_that_contains_both() {
    // session/merge-uncached.json: a record at 10 joins the sessions at 0 and at 20.
    let record = Window::of_millis(10, 10);
    let merged = record.merged(&Window::of_millis(0, 0)).merged(&Window::of_millis(20, 20));
    assert_eq!(merged, Window::of_millis(0, 20));
    assert!(merged.overlaps_session(&Window::of_millis(20, 25)));
    assert!(!merged.overlaps_session(&Window::of_millis(21, 25)));
}

#[test]
fn a_join_reaches_from_before_to_after_and_the_other_way_round() {
    let windows = JoinWindows::of_time_difference_and_grace(ms(10), ms(3)).after(ms(2));
    assert_eq!(windows.reach(at(100)), (at(90), at(102)));
    assert_eq!(windows.reversed().reach(at(100)), (at(98), at(110)));
    assert_eq!(windows.reach(at(4)), (at(0), at(6)));
    assert_eq!((windows.size(), windows.retention()), (ms(12), ms(15)));
}

#[test]
fn windows_that_make_no_sense_are_told_in_java_s_words() {
    let told = |result: Result<(), headwater_window::WindowError>| result.unwrap_err().to_string();
    let tumbling = TimeWindows::of_size_with_no_grace(ms(10));
    assert_eq!(
        told(TimeWindows::of_size_with_no_grace(ms(0)).validate()),
        "Window size (sizeMs) must be larger than zero."
    );
    for advance in [0, 11] {
        let expected = format!(
            "Window advancement interval should be more than zero and less than window duration which is 10 ms, but \
             given advancement interval is: {advance} ms"
        );
        assert_eq!(told(tumbling.advance_by(ms(advance)).validate()), expected);
        assert_eq!(tumbling.advance_by(ms(advance)).windows_for(at(-1)).count(), 0);
    }
    assert!(SessionWindows::of_inactivity_gap_with_no_grace(ms(0)).validate().is_ok());
    let joined = JoinWindows::of_time_difference_with_no_grace(ms(5));
    assert_eq!(
        told(joined.before_millis(-6).validate()),
        "Window interval (ie, beforeMs+afterMs) must not be negative."
    );
    assert_eq!(
        told(UnlimitedWindows::of().start_on(at(-1)).validate()),
        "Window start time (startMs) cannot be negative."
    );
    assert!(tumbling.validate().is_ok() && joined.before_millis(-5).validate().is_ok());
}
