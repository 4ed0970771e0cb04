//! What keys streams and tables have: values of the format as they are, or such in a window.

use std::borrow::Cow;
use std::fmt::Display;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, Result};
use headwater::dsl::{CogroupedKStream, KGroupedStream, KStream, KTable, WindowedKey};
use headwater::record::{Encoded, Serde, SerdeError, SharedSerde};
use headwater::window::{Window, Windowed};

use super::option::Known;
use super::program::Handle;
use super::serde::Format;
use crate::val::Val;

/// What has keys of one type.
#[derive(Clone)]
pub(super) enum Keyed<K: 'static> {
    Stream(KStream<K, Val>, Known),
    Table(KTable<K, Val>, Known),
    Grouped(Rc<KGroupedStream<K, Val>>, Known),
    Cogrouped(CogroupedKStream<K, Val>, Known),
}

/// A type of keys.
pub(super) trait Key: Clone + WindowedKey + Display + 'static {
    /// The key as functions of the format see it.
    fn seen(&self) -> Cow<'_, Val>;

    /// The key that a value of the format is; `None` for null, and for what is no such key.
    fn of(value: Val) -> Option<Self>;

    /// A serde of the format for such keys.
    fn serde(format: &Format) -> SharedSerde<Self>;

    /// What an id stands for.
    fn handle(keyed: Keyed<Self>) -> Handle;

    /// What an id stands for, if its keys are such.
    fn keyed(handle: Handle) -> Option<Keyed<Self>>;
}

impl Key for Val {
    fn seen(&self) -> Cow<'_, Val> {
        Cow::Borrowed(self)
    }

    fn of(value: Val) -> Option<Val> {
        (!value.is_null()).then_some(value)
    }

    fn serde(format: &Format) -> SharedSerde<Val> {
        Arc::new(format.clone())
    }

    fn handle(keyed: Keyed<Val>) -> Handle {
        Handle::Plain(keyed)
    }

    fn keyed(handle: Handle) -> Option<Keyed<Val>> {
        match handle {
            Handle::Plain(keyed) => Some(keyed),
            _ => None,
        }
    }
}

impl Key for Windowed<Val> {
    fn seen(&self) -> Cow<'_, Val> {
        Cow::Owned(self.into())
    }

    fn of(value: Val) -> Option<Self> {
        match value {
            Val::Windowed { key, start, end } => Some(Windowed::new(*key, Window::of_millis(start, end))),
            _ => None,
        }
    }

    fn serde(format: &Format) -> SharedSerde<Self> {
        Arc::new(OfWindowed(format.clone()))
    }

    fn handle(keyed: Keyed<Self>) -> Handle {
        Handle::Windowed(keyed)
    }

    fn keyed(handle: Handle) -> Option<Keyed<Self>> {
        match handle {
            Handle::Windowed(keyed) => Some(keyed),
            _ => None,
        }
    }
}

impl From<&Windowed<Val>> for Val {
    fn from(windowed: &Windowed<Val>) -> Val {
        let Windowed { key, window } = windowed;
        Val::Windowed { key: Box::new(key.clone()), start: window.start.millis(), end: window.end.millis() }
    }
}

/// A serde of the format, for the library's type of windowed keys.
struct OfWindowed(Format);

impl Serde<Windowed<Val>> for OfWindowed {
    fn serialize(&self, topic: &str, value: &Windowed<Val>, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        self.0.serialize(topic, &value.into(), into)
    }

    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<Windowed<Val>, SerdeError> {
        match self.0.deserialize(topic, bytes)? {
            Val::Windowed { key, start, end } => Ok(Windowed::new(*key, Window::of_millis(start, end))),
            other => Err(SerdeError::Custom(format!("{other:?} is no key in a window"))),
        }
    }

    fn partition_prefix(&self, bytes: &[u8]) -> usize {
        Serde::<Val>::partition_prefix(&self.0, bytes)
    }
}

/// The stream that a handle must be.
pub(super) fn stream_of<K: Key>(handle: Handle) -> Result<(KStream<K, Val>, Known)> {
    match K::keyed(handle) {
        Some(Keyed::Stream(stream, known)) => Ok((stream, known)),
        _ => None.context("a stream with keys of the same type is needed here"),
    }
}

/// The grouped stream that a handle must be.
pub(super) fn grouped_of<K: Key>(handle: Handle) -> Result<Rc<KGroupedStream<K, Val>>> {
    match K::keyed(handle) {
        Some(Keyed::Grouped(grouped, _)) => Ok(grouped),
        _ => None.context("a grouped stream with keys of the same type is needed here"),
    }
}

/// The table that a handle must be.
pub(super) fn table_of<K: Key>(handle: Handle) -> Result<KTable<K, Val>> {
    match K::keyed(handle) {
        Some(Keyed::Table(table, _)) => Ok(table),
        _ => None.context("a table with keys of the same type is needed here"),
    }
}
