//! Schedules that call closures.
#![cfg(test)]

use std::cell::Cell;
use std::time::Duration;

use headwater::prelude::*;
use headwater::processor::prelude::*;
use headwater::testing::{MockProcessorContext, TopologyTestDriver};

const SECOND: Duration = Duration::from_secs(1);

type Context<'a, 'b> = ProcessorContext<'a, 'b, String, i64>;

fn tell(cx: &mut Context<'_, '_>, what: &str, time: Timestamp) -> Result<(), ProcessError> {
    cx.forward(Record::new(&what.to_owned(), &time.millis(), time, &Headers::new()))
}

/// Has a schedule of each kind: one that fires for good, one that cancels the next, one that cancels itself, one that fails at first,
/// and one without a closure.
struct Told;

impl Processor<String, String, String, i64> for Told {
    fn init(&mut self, cx: &mut Context<'_, '_>) -> Result<(), ProcessError> {
        let wall = PunctuationType::WallClockTime;
        let cancelled = cx.schedule_with(3 * SECOND, wall, |cx, time| tell(cx, "never", time))?;
        cx.schedule_with(SECOND, wall, |cx, time| tell(cx, "each", time))?;
        cx.schedule_with(2 * SECOND, wall, move |cx, _| {
            cx.cancel(cancelled);
            Ok(())
        })?;
        let own = Rc::new(Cell::new(None));
        let known = Rc::clone(&own);
        own.set(Some(cx.schedule_with(SECOND, wall, move |cx, time| {
            if let Some(schedule) = known.get() {
                cx.cancel(schedule);
            }
            tell(cx, "once", time)
        })?));
        let mut fails = true;
        cx.schedule_with(2 * SECOND, wall, move |cx, time| {
            if std::mem::take(&mut fails) { Err(ProcessError::user("not yet")) } else { tell(cx, "later", time) }
        })?;
        cx.schedule(4 * SECOND, wall).map(drop)
    }

    fn process(&mut self, _: &mut Context<'_, '_>, _: Record<'_, String, String>) -> Result<(), ProcessError> {
        Ok(())
    }

    fn punctuate(&mut self, cx: &mut Context<'_, '_>, _: ScheduleId, time: Timestamp) -> Result<(), ProcessError> {
        tell(cx, "plain", time)
    }
}

#[test]
fn each_schedule_calls_its_own_closure_until_it_is_cancelled() {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").process(|_| Ok(Told), &[]).to("told");
    let driver = TopologyTestDriver::builder(builder.build().unwrap())
        .setting("processing.exception.handler", "LogAndContinueProcessingExceptionHandler")
        .build()
        .unwrap();
    let told = driver.output_topic::<String, i64>("told");
    let mut all = Vec::new();
    for _ in 0..4 {
        driver.advance_wall_clock(SECOND).unwrap();
        let mut now = told.read_key_values().unwrap();
        now.sort();
        all.extend(now.into_iter().map(|(what, time)| format!("{what} {time}")));
    }
    assert_eq!(
        all,
        ["each 1000", "once 1000", "each 2000", "each 3000", "each 4000", "later 4000", "plain 4000"],
        "a closure that failed fires again"
    );
}

#[test]
fn a_processor_that_keeps_the_key_has_such_schedules_and_one_that_is_tested_alone() {
    struct Counts(Rc<Cell<i64>>);
    impl FixedKeyProcessor<String, String, i64> for Counts {
        fn init(&mut self, cx: &mut FixedKeyContext<'_, '_, '_, String, i64>) -> Result<(), ProcessError> {
            let count = Rc::clone(&self.0);
            let reset = move |_: &mut FixedKeyContext<'_, '_, '_, String, i64>, _| {
                count.set(0);
                Ok(())
            };
            cx.schedule_with(SECOND, PunctuationType::WallClockTime, reset).map(drop)
        }
        fn process(
            &mut self,
            cx: &mut FixedKeyContext<'_, '_, '_, String, i64>,
            record: FixedKeyRecord<'_, String, String>,
        ) -> Result<(), ProcessError> {
            self.0.set(self.0.get() + 1);
            cx.forward(record.with_value(&self.0.get()))
        }
    }
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").process_values(|_| Ok(Counts(Rc::default())), &[]).to("counts");
    let driver = TopologyTestDriver::new(builder.build().unwrap()).unwrap();
    let records = driver.input_topic::<String, String>("in");
    records.pipe_all([("a", ""), ("a", "")]).unwrap();
    driver.advance_wall_clock(SECOND).unwrap();
    records.pipe("a", "").unwrap();
    assert_eq!(driver.output_topic::<String, i64>("counts").read_values().unwrap(), [1, 2, 1]);

    let mock = MockProcessorContext::<String, i64>::new();
    mock.init(|cx| Told.init(cx)).unwrap();
    let ids: Vec<ScheduleId> = mock.scheduled_punctuators().iter().map(|scheduled| scheduled.id).collect();
    let fire = |at: usize| mock.with(|cx| Ok(cx.fire(ids[at], 7.into()).is_some())).unwrap();
    assert!(fire(1) && !fire(5), "the last has no closure");
    assert_eq!(mock.forwarded().iter().map(|told| told.record.key.as_str()).collect::<Vec<_>>(), ["each"]);
}
