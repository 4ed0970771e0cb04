//! A window store that keeps several values of one key and time: how joins of streams use theirs.

use headwater_record::{Encoded, Headers, RawHeaders, Timestamp};
use headwater_store::Row;
use headwater_store::bytes::{KeySelection, Order, Put, Scan, WindowEntry, WindowQuery};
use headwater_window::Window;

use super::{Timed, TimedState};
use crate::state::window::{ByWindow, bytes};
use crate::{ProcessError, TaskContext};

/// Entries that are read at once.
const SCAN: usize = 256;

impl<K: 'static, V: 'static> TimedState<K, V, ByWindow> {
    /// Adds a value beside those of the same key and time, in a store that retains duplicates. Without a value nothing is added; it is
    /// logged all the same, as Java does it, and headers are logged with every value (`TimestampedWindowStoreWithHeaders`).
    ///
    /// # Errors
    /// When key or value cannot be encoded, or the store cannot be written.
    pub fn append(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        timestamp: Timestamp,
        value: Option<&V>,
        headers: &Headers,
    ) -> Result<(), ProcessError> {
        let mut encoded = self.buffers.borrow_mut().pop().unwrap_or_default();
        encoded.clear();
        let present = match value {
            Some(value) => self.value.serialize(&self.topic, value, &mut encoded)? == Encoded::Bytes,
            None => false,
        };
        let list = headers.snapshot();
        let headers = list.as_deref().map_or(RawHeaders::NONE, |list| RawHeaders::of(list));
        let window = Window::new(timestamp, timestamp);
        let result = self.with_key(key, |buf| {
            let row = present.then_some(Row { value: &encoded, timestamp, headers });
            if self.store.write(|store| self.timed.put(store, buf.key(), window, row))? == Put::Expired {
                cx.drop_record();
            }
            if !self.logged {
                return Ok(());
            }
            buf.bytes.truncate(buf.key);
            self.timed.put_log_suffix(window, &mut buf.bytes);
            cx.log(self.id, &buf.bytes, present.then_some(&encoded), timestamp, headers)
        });
        self.buffers.borrow_mut().push(encoded);
        result
    }

    /// Hands the values of `key` from `from` to `to`, both included, to `each`: by time, then in the order in which they came. `each`
    /// may use the store. There must be no cache.
    ///
    /// # Errors
    /// Those of `each`, and when an entry cannot be read or decoded.
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
                    self.store.read(|store| bytes(store)?.scan(query, Order::Forward, after, SCAN, &mut page))?;
                last = page.last().filter(|_| scan == Scan::More).cloned();
                for entry in page.drain(..) {
                    let value = self.decode(&entry.row)?.value;
                    each(cx, entry.start, value)?;
                }
                if last.is_none() {
                    return Ok(());
                }
            }
        })
    }
}
