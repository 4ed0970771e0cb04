//! The commands that the value of a record may be.

mod key_value;
mod session;
mod versioned;
mod window;

use std::ops::ControlFlow;
use std::rc::Rc;

use headwater::processor::processor::StoreAccess;
use headwater::processor::state::{KeyValueState, SessionState, Stamped, StoreHandle, VersionedState, WindowState};
use headwater::processor::{ProcessError, TaskContext, WiringError};
use headwater::record::{Record, Timestamp};
use headwater::store::bytes::Order;

use crate::val::Val;

/// Which kind of store a processor asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoreUse {
    KeyValue,
    Window,
    Session,
    Versioned,
}

/// A store as a processor has it.
#[derive(Clone)]
pub(super) enum Opened {
    KeyValue(Rc<KeyValueState<Val, Val>>),
    Window(Rc<WindowState<Val, Val>>),
    Session(Rc<SessionState<Val, Val>>),
    Versioned(Rc<VersionedState<Val, Val>>),
}

impl Opened {
    pub(super) fn open(
        which: StoreUse,
        handle: &StoreHandle<Val, Val>,
        stores: &mut StoreAccess<'_, '_>,
    ) -> Result<Opened, WiringError> {
        Ok(match which {
            StoreUse::KeyValue => Opened::KeyValue(stores.key_value(handle)?),
            StoreUse::Window => Opened::Window(stores.window(handle)?),
            StoreUse::Session => Opened::Session(stores.session(handle)?),
            StoreUse::Versioned => Opened::Versioned(stores.versioned(handle)?),
        })
    }

    /// Does what the words say; the answer.
    pub(super) fn answer(
        &self,
        cx: &mut TaskContext<'_>,
        record: Record<'_, Val, Val>,
        words: &[&str],
    ) -> Result<String, ProcessError> {
        match self {
            Opened::KeyValue(store) => key_value::answer(cx, store, record, words),
            Opened::Window(store) => window::answer(cx, store, record, words),
            Opened::Session(store) => session::answer(cx, store, record, words),
            Opened::Versioned(store) => versioned::answer(cx, store, record, words),
        }
    }
}

type Each<'l, K, F> = &'l mut dyn FnMut(&mut TaskContext<'_>, K, F) -> Result<ControlFlow<()>, ProcessError>;

/// What a scan finds, as `show` shows it.
fn listed<K, F>(
    show: impl Fn(K, F) -> String,
    scan: impl FnOnce(Each<'_, K, F>) -> Result<(), ProcessError>,
) -> Result<String, ProcessError> {
    let mut entries = Vec::new();
    scan(&mut |_, key, found| {
        entries.push(show(key, found));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(entries.join(","))
}

fn shown(found: Option<Stamped<Val>>) -> String {
    found.map_or(Val::Null, |found| found.value).show()
}

/// The words without the `backward_` before them, and what it means.
fn direction<'w>(words: &[&'w str]) -> (Order, Vec<&'w str>) {
    let mut words = words.to_vec();
    match words.first_mut().and_then(|first| first.strip_prefix("backward_").map(|command| *first = command)) {
        Some(()) => (Order::Backward, words),
        None => (Order::Forward, words),
    }
}

/// A bound of a range; `-` is none.
fn bound(word: &str) -> Option<Val> {
    (word != "-").then(|| Val::text(word))
}

fn time(word: &str) -> Result<Timestamp, ProcessError> {
    word.parse().map(Timestamp::from_millis).map_err(|_| ProcessError::user(format!("`{word}` is no time")))
}

fn unknown(words: &[&str]) -> ProcessError {
    ProcessError::user(format!("unknown command {words:?}"))
}
