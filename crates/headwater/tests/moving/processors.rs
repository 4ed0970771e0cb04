//! A processor with a store of each kind.

use std::ops::ControlFlow;
use std::time::Duration;

use headwater::prelude::*;
use headwater::processor::prelude::*;
use headwater::store::bytes::{Order, VersionedPut};
use headwater::window::Window;

use crate::draft::Draft;

const HOUR: Duration = Duration::from_hours(1);
const WINDOW_MS: i64 = 50;
const GAP: Duration = Duration::from_millis(60);

pub(crate) fn stores_of_processors(draft: &Draft) {
    let builder = &draft.builder;
    builder.add_state_store(StoreSpec::key_value("counts").with_caching_enabled());
    builder.add_state_store(StoreSpec::window("windows", HOUR, Duration::from_millis(WINDOW_MS as u64)));
    builder.add_state_store(StoreSpec::session("sessions", HOUR));
    builder.add_state_store(StoreSpec::versioned("versions", HOUR));
    let supplier = |stores: &mut StoreAccess<'_, '_>| {
        Ok(Remembers {
            counts: stores.key_value(&StoreHandle::named("counts"))?,
            windows: stores.window(&StoreHandle::named("windows"))?,
            sessions: stores.session(&StoreHandle::named("sessions"))?,
            versions: stores.versioned(&StoreHandle::named("versions"))?,
        })
    };
    let names = ["counts", "windows", "sessions", "versions"];
    draft.each(&draft.left().process(supplier, &names));
}

/// Says of each record what was there before.
struct Remembers {
    counts: Rc<KeyValueState<String, i64>>,
    windows: Rc<WindowState<String, i64>>,
    sessions: Rc<SessionState<String, i64>>,
    versions: Rc<VersionedState<String, String>>,
}

impl Processor<String, String, String, String> for Remembers {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, String, String>,
        record: Record<'_, String, String>,
    ) -> Result<(), ProcessError> {
        let Record { key, value, timestamp: at, headers, .. } = record;
        let count = self.counts.value(cx, key)?.unwrap_or(0) + 1;
        self.counts.put_at(cx, key, count, &record)?;

        let start = Timestamp::from_millis(at.millis() / WINDOW_MS * WINDOW_MS);
        let in_window = self.windows.fetch(key, start)?.map_or(0, |count| count.value) + 1;
        self.windows.put_at(cx, key, start, in_window, &record)?;

        let (mut session, mut in_session, mut merged) = (Window::new(at, at), 1, Vec::new());
        self.sessions.scan(cx.task(), Keys::One(key), at.minus(GAP), at, Order::Forward, |_, before, count| {
            session = Window::new(session.start.min(before.window.start), session.end);
            in_session += count;
            merged.push(before.window);
            Ok(ControlFlow::Continue(()))
        })?;
        for before in merged {
            self.sessions.put(cx.task(), key, before, None, at, headers)?;
        }
        self.sessions.put(cx.task(), key, session, Some(in_session), at, headers)?;

        let earlier = self.versions.get_as_of(key, at.minus(GAP))?.map(|version| version.value);
        assert_eq!(self.versions.put(cx.task(), key, Some(value.clone()), at)?, VersionedPut::Latest);

        let said = format!("{value}: {count}, {in_window}, {in_session} from {}, {earlier:?}", session.start.millis());
        cx.forward(Record::new(key, &said, at, headers))
    }
}
