//! A window store that keeps several values of one key and time: how joins of streams use theirs.

use headwater_record::{Headers, RawHeaders, Timestamp};
use headwater_store::Row;
use headwater_store::bytes::{KeySelection, Order, Put, Scan, WindowEntry, WindowQuery};
use headwater_window::Window;

use super::{Timed, TimedState};
use crate::state::window::{ByWindow, bytes};
use crate::{DropReason, ProcessError, TaskContext};

/// Entries that are read at once.
const SCAN: usize = 256;

impl<K: 'static, V: 'static> TimedState<K, V, ByWindow> {
    /// Adds a value beside those of the same key and time, in a store that retains duplicates. Without a value nothing is added; it is
    /// logged all the same, as Java does it, and headers are logged with every value (`TimestampedWindowStoreWithHeaders`).
    ///
    /// # Errors
    /// When key or value cannot be encoded, or the store cannot be written.
    #[doc(hidden)]
    pub fn append(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        timestamp: Timestamp,
        value: Option<&V>,
        headers: &Headers,
    ) -> Result<(), ProcessError> {
        let list = headers.snapshot();
        let headers = list.as_deref().map_or(RawHeaders::NONE, |list| RawHeaders::of(list));
        let window = Window::new(timestamp, timestamp);
        self.core.with_buffer(|encoded| {
            let encoded = match value {
                Some(value) if self.core.encode_value(value, encoded)? => Some(encoded.as_slice()),
                _ => None,
            };
            self.with_key(key, |buf| {
                let row = encoded.map(|value| Row { value, timestamp, headers });
                if self.core.store.write(|store| self.timed.put(store, buf.key(), window, row))? == Put::Expired {
                    cx.drop_record(DropReason::Late);
                }
                buf.bytes.truncate(buf.key);
                self.timed.put_log_suffix(window, &mut buf.bytes);
                self.core.log_raw(cx, &buf.bytes, encoded, timestamp, headers)
            })
        })
    }

    /// Hands the values of `key` from `from` to `to`, both included, to `each`: by time, then in the order in which they came. `each`
    /// may use the store. There must be no cache.
    ///
    /// # Errors
    /// Those of `each`, and when an entry cannot be read or decoded.
    #[doc(hidden)]
    pub fn partners(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        (from, to): (Timestamp, Timestamp),
        mut each: impl FnMut(&mut TaskContext<'_>, Timestamp, V) -> Result<(), ProcessError>,
    ) -> Result<(), ProcessError> {
        self.with_key(key, |buf| {
            let query = WindowQuery { keys: KeySelection::One(buf.key()), from, to };
            let (mut page, mut last): (Vec<WindowEntry>, Option<WindowEntry>) = (Vec::new(), None);
            loop {
                let after = last.as_ref();
                let scan =
                    self.core.store.read(|store| bytes(store)?.scan(query, Order::Forward, after, SCAN, &mut page))?;
                last = page.last().filter(|_| scan == Scan::More).cloned();
                for entry in page.drain(..) {
                    let value = self.core.decode(&entry.row)?.value;
                    each(cx, entry.start, value)?;
                }
                if last.is_none() {
                    return Ok(());
                }
            }
        })
    }
}
