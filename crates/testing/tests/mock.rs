//! A processor alone.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

use headwater_record::{Headers, Offset, Record, Timestamp};
use headwater_store::bytes::Order;
use headwater_store::{StoreKind, StoreSpec};
use headwater_testing::{Forwarded, MockProcessorContext, TestRecord};
use headwater_topology::processor::{Processor, ProcessorContext, StoreAccess};
use headwater_topology::state::{KeyValueState, StoreHandle};
use headwater_topology::{ProcessError, PunctuationType, ScheduleId};

/// Counts per key; tells all counts when it is asked to, and cries to `alarm` at three.
struct Counter {
    counts: Rc<KeyValueState<String, i64>>,
}

impl Processor<String, String, String, i64> for Counter {
    fn init(&mut self, cx: &mut ProcessorContext<'_, '_, String, i64>) -> Result<(), ProcessError> {
        cx.schedule(Duration::from_secs(10), PunctuationType::WallClockTime).map(|_| ())
    }

    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, String, i64>,
        record: Record<'_, String, String>,
    ) -> Result<(), ProcessError> {
        let count = self.counts.get(cx.task(), record.key)?.map_or(0, |count| count.value) + 1;
        self.counts.put(cx.task(), record.key, Some(count), record.timestamp, record.headers)?;
        if count == 3 {
            cx.commit();
            cx.forward_to("alarm", Record::new(record.key, &count, record.timestamp, record.headers))?;
        }
        Ok(())
    }

    fn punctuate(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, String, i64>,
        schedule: ScheduleId,
        time: Timestamp,
    ) -> Result<(), ProcessError> {
        let mut all = Vec::new();
        self.counts.all(cx.task(), Order::Forward, |_, key, count| {
            all.push((key, count.value));
            Ok(ControlFlow::Continue(()))
        })?;
        for (key, count) in &all {
            cx.forward(Record::new(key, count, time, &Headers::new()))?;
        }
        cx.cancel(schedule);
        Ok(())
    }
}

#[test]
fn a_processor_is_tested_alone_with_its_store_and_its_punctuator() {
    let mut mock = MockProcessorContext::<String, i64>::new();
    mock.add_state_store(StoreSpec::new("counts", StoreKind::KeyValue));
    let supplier =
        |stores: &mut StoreAccess<'_, '_>| Ok(Counter { counts: stores.key_value(&StoreHandle::named("counts"))? });
    let mut counter = mock.make(&supplier).unwrap();
    mock.set_current_system_time(1_000);
    mock.init(|cx| counter.init(cx)).unwrap();
    let scheduled = mock.scheduled_punctuators();
    assert_eq!(scheduled.len(), 1);
    assert_eq!((scheduled[0].interval, scheduled[0].due), (Duration::from_secs(10), 11_000.into()));

    let headers = Headers::new();
    for time in 0..3_i64 {
        let (key, value) = ("k".to_owned(), String::new());
        mock.set_record_metadata("in", 0, Offset::new(time));
        mock.with(|cx| counter.process(cx, Record::new(&key, &value, time.into(), &headers))).unwrap();
    }
    let alarm = Forwarded { record: TestRecord::new("k".to_owned(), 3_i64, 2), child: Some("alarm".to_owned()) };
    assert_eq!(mock.forwarded(), [alarm]);
    assert!(mock.forwarded_to("others").is_empty());
    assert!(mock.committed());
    mock.reset_commit();
    mock.reset_forwards();

    mock.with(|cx| counter.punctuate(cx, scheduled[0].id, 11_000.into())).unwrap();
    assert_eq!(mock.forwarded()[0].record, TestRecord::new("k".to_owned(), 3, 11_000));
    assert_eq!(mock.forwarded_to("others").len(), 1);
    assert!(!mock.committed());
    assert!(mock.scheduled_punctuators()[0].cancelled);
}

#[test]
fn forwarding_in_init_and_stores_that_are_not_there_are_refused() {
    let mock = MockProcessorContext::<String, i64>::new();
    let (key, value, headers) = ("k".to_owned(), 1, Headers::new());
    let refused = mock.init(|cx| cx.forward(Record::new(&key, &value, 0.into(), &headers))).unwrap_err();
    assert!(refused.to_string().contains("forward is not possible in init"), "{refused}");
    let supplier =
        |stores: &mut StoreAccess<'_, '_>| Ok(Counter { counts: stores.key_value(&StoreHandle::named("counts"))? });
    let missing = mock.make(&supplier).err().unwrap();
    assert!(missing.to_string().contains("has no access to StateStore counts"), "{missing}");
}
