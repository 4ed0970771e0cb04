//! The processors of the format (FORMAT.md, section 9), under both interfaces of the library.

mod body;
mod commands;
mod definition;
mod outlet;

use headwater::dsl::{TransformContext, ValueTransformerWithKey};
use headwater::processor::ProcessError;
use headwater::processor::processor::{
    FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, Processor, ProcessorContext, StoreAccess,
};
use headwater::processor::state::StoreHandle;
use headwater::processor::{ScheduleId, WiringError};
use headwater::record::{Record, Timestamp};

use self::body::Body;
use self::commands::Opened;
pub(super) use self::definition::Definition;
use self::outlet::{Dead, FixedOutlet, LastValue};
use super::key::Key;
use crate::val::Val;

/// A store as a processor has it, or why it has none: Java says so when it is asked for.
type OpenStore = Option<Result<Opened, String>>;

/// A processor of the format.
pub(super) struct Live(Body);

impl Live {
    /// The processor that a definition describes, with its store.
    pub(super) fn make(
        definition: &Definition,
        store: Option<&StoreHandle<Val, Val>>,
        stores: &mut StoreAccess<'_, '_>,
    ) -> Result<Live, WiringError> {
        let store: OpenStore = match store.map(|handle| Opened::open(definition.opens, handle, stores)) {
            None => None,
            Some(Ok(store)) => Some(Ok(store)),
            Some(Err(WiringError::NoAccess(why))) => Some(Err(why)),
            Some(Err(other)) => return Err(other),
        };
        Ok(Live(Body::new(definition.clone(), store)))
    }
}

impl<K: Key> Processor<K, Val, Val, Val> for Live {
    fn init(&mut self, cx: &mut ProcessorContext<'_, '_, Val, Val>) -> Result<(), ProcessError> {
        self.0.init(cx)
    }

    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, Val, Val>,
        record: Record<'_, K, Val>,
    ) -> Result<(), ProcessError> {
        self.0.process(cx, record.with_key(&record.key.seen()))
    }

    fn punctuate(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, Val, Val>,
        schedule: ScheduleId,
        time: Timestamp,
    ) -> Result<(), ProcessError> {
        self.0.punctuate(cx, schedule, time)
    }
}

/// A processor that fills a store: nothing is below it.
pub(super) struct Filler(pub(super) Live);

impl Processor<Val, Val, (), ()> for Filler {
    fn init(&mut self, cx: &mut ProcessorContext<'_, '_, (), ()>) -> Result<(), ProcessError> {
        self.0.0.init(&mut Dead(cx))
    }

    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, (), ()>,
        record: Record<'_, Val, Val>,
    ) -> Result<(), ProcessError> {
        self.0.0.process(&mut Dead(cx), record)
    }

    fn punctuate(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, (), ()>,
        schedule: ScheduleId,
        time: Timestamp,
    ) -> Result<(), ProcessError> {
        self.0.0.punctuate(&mut Dead(cx), schedule, time)
    }
}

impl<K: Key> FixedKeyProcessor<K, Val, Val> for Live {
    fn init(&mut self, cx: &mut FixedKeyContext<'_, '_, '_, K, Val>) -> Result<(), ProcessError> {
        self.0.init(&mut FixedOutlet { cx, current: None })
    }

    fn process(
        &mut self,
        cx: &mut FixedKeyContext<'_, '_, '_, K, Val>,
        record: FixedKeyRecord<'_, K, Val>,
    ) -> Result<(), ProcessError> {
        let key = record.key().seen();
        let plain = Record::new(&*key, record.value(), record.timestamp(), record.headers());
        self.0.process(&mut FixedOutlet { cx, current: Some(record) }, plain)
    }

    fn punctuate(
        &mut self,
        cx: &mut FixedKeyContext<'_, '_, '_, K, Val>,
        schedule: ScheduleId,
        time: Timestamp,
    ) -> Result<(), ProcessError> {
        self.0.punctuate(&mut FixedOutlet { cx, current: None }, schedule, time)
    }
}

/// A transformer whose value is that of the last record that the processor forwards.
impl<K: Key> ValueTransformerWithKey<K, Val, Val> for Live {
    fn init(&mut self, cx: &mut TransformContext<'_, '_>) -> Result<(), ProcessError> {
        self.0.init(&mut LastValue { cx, last: None })
    }

    fn transform(
        &mut self,
        cx: &mut TransformContext<'_, '_>,
        record: Record<'_, K, Option<Val>>,
    ) -> Result<Option<Val>, ProcessError> {
        let (key, value) = (record.key.seen(), record.value.as_ref().unwrap_or(&Val::Null));
        let timestamp = record.timestamp.max(Timestamp::ZERO);
        let mut out = LastValue { cx, last: None };
        self.0.process(&mut out, Record::new(&*key, value, timestamp, record.headers))?;
        Ok(out.last)
    }

    fn punctuate(
        &mut self,
        cx: &mut TransformContext<'_, '_>,
        schedule: ScheduleId,
        time: Timestamp,
    ) -> Result<(), ProcessError> {
        self.0.punctuate(&mut LastValue { cx, last: None }, schedule, time)
    }
}
