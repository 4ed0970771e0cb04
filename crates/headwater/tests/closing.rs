//! A task that closes frees all that it held, whoever looks into whose store.
#![cfg(test)]

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use headwater::memory::{Cluster, ManualClock};
use headwater::prelude::*;
use headwater::processor::prelude::*;
use headwater::record::{Headers, Topic};
use headwater::runtime::Driven;
use headwater::testing::{DriverError, TopologyTestDriver};

/// The outputs of the topology.
const OUTPUTS: usize = 5;

/// Made for each task, below what may hold it: it lives until that is gone.
struct Lives {
    _alive: Arc<()>,
}

impl<V: 'static> FixedKeyProcessor<String, V, V> for Lives {
    fn process(
        &mut self,
        cx: &mut FixedKeyContext<'_, '_, '_, String, V>,
        record: FixedKeyRecord<'_, String, V>,
    ) -> Result<(), ProcessError> {
        cx.forward(record)
    }
}

/// Every output of a task holds `alive`.
fn topology(alive: &Arc<()>) -> Topology {
    let builder = StreamsBuilder::new();
    let (left, right): (KTable<String, String>, KTable<String, String>) =
        (builder.table("left"), builder.table("right"));
    let joined = left.outer_join(&right, |one, other| format!("{one:?}{other:?}"));
    let counts = right.group_by(|key, value| (value.clone(), key.clone())).count_with(Materialized::named("counts"));
    let kept =
        joined.map_values_with(|_, text| text.len() as i64, Materialized::named("lengths").with_value_serde(serde()));
    told(kept.join(&counts, |length, count| length + count).to_stream(), alive, "out");
    let limit = BufferConfig::max_records(1).emit_early_when_full();
    let rarely = kept.suppress(Suppressed::until_time_limit(Duration::from_millis(1), limit));
    told(rarely.to_stream(), alive, "rarely");
    let joined = left.left_join_on(&right, |_, value| value.clone(), |one, other| format!("{one}{other:?}"));
    told(joined.to_stream(), alive, "found");
    let sales = builder.stream::<String, String>("sales");
    told(sales.join_table(&kept, |_, sale, length| format!("{sale}{length}")), alive, "sold");
    let with_itself = |_: &String, one: Option<&String>, other: Option<&String>| format!("{one:?}{other:?}");
    let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_millis(1));
    told(sales.outer_join(&sales, with_itself, windows), alive, "paired");
    builder.build().unwrap()
}

fn told<V: DefaultSerde>(stream: KStream<String, V>, alive: &Arc<()>, topic: &str) {
    let alive = Arc::clone(alive);
    let lives = move |_: &mut StoreAccess<'_, '_>| Ok(Lives { _alive: Arc::clone(&alive) });
    stream.process_values(lives, &[]).to_with(topic, Produced::by_type());
}

fn serde() -> headwater::record::SharedSerde<i64> {
    headwater::record::DefaultSerde::default_serde()
}

#[test]
fn tables_that_look_into_each_other_let_go_of_their_stores() {
    let alive = Arc::new(());
    let topology = topology(&alive);
    let while_frozen = Arc::strong_count(&alive);
    for _ in 0..3 {
        let driver = TopologyTestDriver::new(topology.clone()).unwrap();
        for topic in ["left", "right", "sales"] {
            driver.input_topic::<String, String>(topic).pipe_at("a".to_owned(), "b".to_owned(), 1).unwrap();
        }
        assert_eq!(Arc::strong_count(&alive), while_frozen + OUTPUTS, "each output is alive once");
        driver.close().expect("no store outlives its task");
    }
    assert_eq!(Arc::strong_count(&alive), while_frozen, "the nodes of closed tasks are gone");
}

type Kept = Rc<KeyValueState<String, String>>;

thread_local! {
    /// Where a state must not be put.
    static FOR_EVER: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
}

/// A processor of which something outlives its task.
struct Clings(Kept);

impl Processor<String, String, String, String> for Clings {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, String, String>,
        record: Record<'_, String, String>,
    ) -> Result<(), ProcessError> {
        FOR_EVER.with_borrow_mut(|kept| kept.push(Rc::clone(&self.0)));
        cx.forward(record)
    }
}

fn clinging() -> Topology {
    let builder = StreamsBuilder::new();
    builder.add_state_store(StoreSpec::key_value("kept").in_memory());
    let clings = |stores: &mut StoreAccess<'_, '_>| Ok(Clings(stores.key_value(&StoreHandle::named("kept"))?));
    builder.stream::<String, String>("in").process(clings, &["kept"]).to("out");
    builder.build().unwrap()
}

#[test]
fn a_driver_fails_by_a_store_that_outlives_its_task() {
    let driver = TopologyTestDriver::new(clinging()).unwrap();
    driver.input_topic::<String, String>("in").pipe("k", "v").unwrap();
    assert!(matches!(driver.close(), Err(DriverError::Held(store)) if store == "kept"));
}

#[test]
fn an_application_that_is_driven_fails_by_a_store_that_outlives_its_task() {
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let cluster = Cluster::new(Arc::new(clock.clone()));
    for topic in ["in", "out"] {
        cluster.create_topic(topic, 1).unwrap();
    }
    let application = KafkaStreams::builder(clinging()).application_id("clinging").on(&cluster);
    let mut application = application.set("commit.interval.ms", "100").drive().unwrap();
    let until = |application: &mut Driven, done: &dyn Fn(&Driven) -> bool| {
        for _ in 0..1_000 {
            if done(application) {
                return;
            }
            application.turn();
            clock.advance(Duration::from_millis(20));
        }
        panic!("it never came to this: {:?}", application.state());
    };
    cluster.produce(&Topic::from("in"), Some(b"k"), Some(b"v"), Timestamp::ZERO, &Headers::new()).unwrap();
    until(&mut application, &|_| cluster.records(&Topic::from("out")).len() == 1);
    application.begin_close(CloseOptions::default());
    until(&mut application, &|application| application.state().is_final());
    let error = application.outcome().unwrap_err().to_string();
    assert!(error.contains("store kept of task 0_0 is still held after its task has closed"), "{error}");
}
