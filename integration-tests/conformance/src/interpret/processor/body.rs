//! What a processor of the format does, whichever interface it runs under.

use std::ops::ControlFlow;
use std::rc::Rc;

use headwater::processor::state::KeyValueState;
use headwater::processor::{ProcessError, ScheduleId};
use headwater::record::{Headers, Record, Timestamp};
use headwater::store::bytes::Order;

use super::super::function::last_header;
use super::OpenStore;
use super::commands::Opened;
use super::definition::{Definition, HeaderAction, Work};
use super::outlet::Outlet;
use crate::expr::{Scope, UserError};
use crate::val::Val;

/// A processor in a running task.
pub(super) struct Body {
    definition: Definition,
    store: OpenStore,
    schedule: Option<ScheduleId>,
    fired: i64,
}

impl Body {
    pub(super) fn new(definition: Definition, store: OpenStore) -> Body {
        Body { definition, store, schedule: None, fired: 0 }
    }

    pub(super) fn init(&mut self, out: &mut dyn Outlet<'_>) -> Result<(), ProcessError> {
        if let Some(punctuation) = self.definition.punctuation {
            self.schedule = Some(out.schedule(punctuation.start, punctuation.every, punctuation.kind)?);
        }
        Ok(())
    }

    fn opened(&self) -> Result<&Opened, ProcessError> {
        match &self.store {
            Some(Ok(store)) => Ok(store),
            Some(Err(why)) => Err(ProcessError::user(why.clone())),
            None => Err(ProcessError::user("the processor names no store")),
        }
    }

    fn store(&self) -> Result<Rc<KeyValueState<Val, Val>>, ProcessError> {
        match self.opened()? {
            Opened::KeyValue(store) => Ok(Rc::clone(store)),
            _ => Err(ProcessError::user("the processor needs a key-value store")),
        }
    }

    pub(super) fn process(
        &mut self,
        out: &mut dyn Outlet<'_>,
        record: Record<'_, Val, Val>,
    ) -> Result<(), ProcessError> {
        let work = self.definition.work.clone();
        match &work {
            Work::Forward | Work::Tick { .. } => out.forward(record, None),
            Work::Drop => Ok(()),
            Work::Emit { n } => (0..*n).try_for_each(|i| {
                out.forward(record.with_value(&Val::Text(format!("{}#{i}", record.value.show()))), None)
            }),
            Work::FailIf(expr) => {
                let value = expr.eval(Scope::kv(record.key, record.value)).map_err(ProcessError::user)?;
                out.forward(record.with_value(&value), None)
            }
            Work::Route { predicate, yes, no } => {
                let holds = predicate.test(Scope::kv(record.key, record.value)).map_err(ProcessError::user)?;
                out.forward(record, Some(if holds { yes } else { no }))
            }
            Work::Map { .. } => map(&work, out, record),
            Work::Header { action, name, value, in_place } => {
                let copy = record.headers.clone();
                let record = if *in_place { record } else { record.with_headers(&copy) };
                let headers = record.headers;
                if *action != HeaderAction::Add {
                    headers.remove(name);
                }
                if *action != HeaderAction::Remove {
                    headers.add(name.as_str(), value.as_deref());
                }
                out.forward(record, None)
            }
            Work::Times => {
                let times = Val::Text(times(out, record.timestamp));
                out.forward(record.with_value(&times), None)
            }
            Work::Metadata => {
                let metadata = Val::Text(metadata(out));
                out.forward(record.with_value(&metadata), None)
            }
            Work::Commands => {
                let command = record.value.show();
                let words: Vec<&str> = command.split(' ').collect();
                let answer = self.opened()?.answer(out.task(), record, &words)?;
                out.forward(record.with_value(&Val::Text(answer)), None)
            }
            _ => self.with_store(&work, out, record),
        }
    }

    /// The processors that use a store.
    fn with_store(
        &self,
        work: &Work,
        out: &mut dyn Outlet<'_>,
        record: Record<'_, Val, Val>,
    ) -> Result<(), ProcessError> {
        let store = self.store()?;
        let Record { key, value, timestamp, headers, .. } = record;
        let given = || (!value.is_null()).then(|| value.clone());
        match work {
            Work::Dedup => {
                if key.is_null() || value.is_null() {
                    return Ok(());
                }
                let same = store.get(out.task(), key)?.is_some_and(|old| old.value == *value);
                if same {
                    return Ok(());
                }
                store.put(out.task(), key, given(), timestamp, headers)?;
                out.forward(record, None)
            }
            Work::Counter | Work::CountAndPunctuate { .. } => {
                if key.is_null() {
                    return Ok(());
                }
                let old = store.get(out.task(), key)?.map_or(Val::Null, |old| old.value);
                let count = Val::Long(old.num().map_err(ProcessError::user)? + 1);
                store.put(out.task(), key, Some(count.clone()), timestamp, headers)?;
                if matches!(work, Work::Counter) { out.forward(record.with_value(&count), None) } else { Ok(()) }
            }
            Work::Ttl { .. } => {
                store.put(out.task(), key, Some(Val::Long(timestamp.millis())), timestamp, headers)?;
                out.forward(record, None)
            }
            Work::StoreWriter if key.is_null() => Ok(()),
            Work::StoreWriter => store.put(out.task(), key, given(), timestamp, headers),
            Work::TimestampedWriter => {
                let old = store.get(out.task(), key)?;
                store.put(out.task(), key, given(), timestamp, headers)?;
                let answer = old.map_or("none".to_owned(), |old| format!("{}@{}", old.value.show(), old.timestamp));
                out.forward(record.with_value(&Val::Text(answer)), None)
            }
            _ => {
                let found = store.get(out.task(), key)?.map_or(Val::Null, |found| found.value);
                out.forward(record.with_value(&Val::Text(format!("{}/{}", value.show(), found.show()))), None)
            }
        }
    }

    pub(super) fn punctuate(
        &mut self,
        out: &mut dyn Outlet<'_>,
        schedule: ScheduleId,
        time: Timestamp,
    ) -> Result<(), ProcessError> {
        let none = Headers::new();
        match self.definition.work.clone() {
            Work::Tick { label, .. } if label == "fail" => {
                Err(ProcessError::user(UserError("failed in punctuator".to_owned())))
            }
            Work::Tick { label, metadata: tell, cancel_after } => {
                self.fired += 1;
                let value = Val::Text(if tell { metadata(out) } else { times(out, time) });
                out.forward(Record::new(&Val::Text(label), &value, time, &none), None)?;
                if cancel_after.is_some_and(|limit| self.fired >= limit) {
                    out.cancel(schedule);
                }
                Ok(())
            }
            Work::CountAndPunctuate { clear } => {
                let store = self.store()?;
                for (key, value) in entries(out, &store)? {
                    // Each record has headers of its own.
                    out.forward(Record::new(&key, &value, time, &Headers::new()), None)?;
                    if clear {
                        store.delete(out.task(), &key, time, &none)?;
                    }
                }
                Ok(())
            }
            Work::Ttl { ttl_ms } => {
                let store = self.store()?;
                for (key, value) in entries(out, &store)? {
                    if value.num().map_err(ProcessError::user)? + ttl_ms <= time.millis() {
                        store.delete(out.task(), &key, time, &none)?;
                        out.forward(Record::new(&key, &Val::Null, time, &Headers::new()), None)?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn map(work: &Work, out: &mut dyn Outlet<'_>, record: Record<'_, Val, Val>) -> Result<(), ProcessError> {
    let Work::Map { key, value, ts_plus } = work else { return Ok(()) };
    let header = last_header(record.headers);
    let scope = Scope { ts: record.timestamp.millis(), header: Some(&header), ..Scope::kv(record.key, record.value) };
    let key = key.as_ref().map(|expr| expr.eval(scope)).transpose().map_err(ProcessError::user)?;
    let value = value.as_ref().map(|expr| expr.eval(scope)).transpose().map_err(ProcessError::user)?;
    let timestamp = Timestamp::from_millis(record.timestamp.millis() + ts_plus);
    let record = record.with_key(key.as_ref().unwrap_or(record.key)).with_timestamp(timestamp);
    out.forward(record.with_value(value.as_ref().unwrap_or(record.value)), None)
}

fn times(out: &mut dyn Outlet<'_>, time: Timestamp) -> String {
    let (stream, wall) = (out.stream_time().millis(), out.system_time().millis());
    format!("ts={},stream={stream},wall={wall}", time.millis())
}

fn metadata(out: &mut dyn Outlet<'_>) -> String {
    out.metadata().map_or("none".to_owned(), |metadata| {
        let topic = metadata.topic.as_ref().map_or("null", |topic| topic.as_str());
        format!("{topic}/{}/{}", metadata.partition, metadata.offset)
    })
}

fn entries(out: &mut dyn Outlet<'_>, store: &KeyValueState<Val, Val>) -> Result<Vec<(Val, Val)>, ProcessError> {
    let mut entries = Vec::new();
    store.all(out.task(), Order::Forward, |_, key, found| {
        entries.push((key, found.value));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(entries)
}
