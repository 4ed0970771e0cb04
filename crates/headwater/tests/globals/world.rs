//! A cluster with the topics `shops` (of a global table), `sales`, `sold` and `dead`, and instances that join them.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater::FromFeatures;
use headwater::client::{ClientConfig, ClientSupplier};
use headwater::memory::{Cluster, ManualClock};
use headwater::prelude::*;
use headwater::processor::ProcessError;
use headwater::processor::state::{KeyValueState, StoreHandle};
use headwater::processor::{ProcessorContext, StoreAccess};
use headwater::record::{Deadline, Headers, Offset, Topic, TopicPartition};
use headwater::runtime::changelog::RestoreListener;
use headwater::runtime::{Builder, CloseOptions, Driven, State};
use headwater::store::{StoreKind, StoreSpec};

pub(crate) const APPLICATION: &str = "shopping";

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) cluster: Cluster,
}

/// Sales, each with the city of its shop; those of unknown shops with a question mark.
pub(crate) fn cities() -> headwater::processor::Topology {
    let builder = StreamsBuilder::new();
    let shops = builder.global_table::<String, String>("shops");
    let sales = builder.stream::<String, String>("sales");
    let city =
        |_: &String, sale: &String, city: Option<&String>| format!("{sale} in {}", city.map_or("?", String::as_str));
    sales.left_join_global(&shops, |shop, _| shop.clone(), city).to("sold");
    builder.build().expect("a topology")
}

/// What a processor of a global store heard: records, and its beginnings and ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard(pub(crate) Arc<Mutex<Vec<String>>>);

impl Heard {
    pub(crate) fn add(&self, text: impl Into<String>) {
        self.0.lock().expect("what was heard").push(text.into());
    }
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("what was heard"))
    }
}

/// Keeps cities in capitals, tells what it hears, and refuses `bad`.
struct Capitals(Rc<KeyValueState<String, String>>, Heard);

impl Processor<String, Option<String>, (), ()> for Capitals {
    fn init(&mut self, _: &mut ProcessorContext<'_, '_, (), ()>) -> Result<(), ProcessError> {
        self.1.add("init");
        Ok(())
    }
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, (), ()>,
        record: Record<'_, String, Option<String>>,
    ) -> Result<(), ProcessError> {
        self.1.add(format!("{}={}", record.key, record.value.as_deref().unwrap_or("null")));
        if record.value.as_deref() == Some("bad") {
            return Err(ProcessError::user("a city is not to be bad"));
        }
        let city = record.value.as_ref().map(|city| city.to_uppercase());
        self.0.put(cx.task(), record.key, city, record.timestamp, record.headers)
    }
    fn close(&mut self) {
        self.1.add("close");
    }
}

/// Reads what `Capitals` keeps.
struct Look(Rc<KeyValueState<String, String>>);

impl Processor<String, String, String, String> for Look {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, String, String>,
        record: Record<'_, String, String>,
    ) -> Result<(), ProcessError> {
        let city = self.0.get(cx.task(), record.key)?.map_or_else(|| "?".to_owned(), |city| city.value);
        let value = format!("{} in {city}", record.value);
        cx.forward(Record::new(record.key, &value, record.timestamp, record.headers))
    }
}

/// As [`cities`], with a store that a processor fills.
pub(crate) fn capitals(heard: &Heard) -> headwater::processor::Topology {
    let builder = StreamsBuilder::new();
    let heard = heard.clone();
    let store = StoreSpec::new("cities", StoreKind::KeyValue);
    builder.add_global_store(store, "shops", Consumed::by_type(), move |stores: &mut StoreAccess<'_, '_>| {
        Ok(Capitals(stores.key_value(&StoreHandle::named("cities"))?, heard.clone()))
    });
    let sales = builder.stream::<String, String>("sales");
    let look = |stores: &mut StoreAccess<'_, '_>| Ok(Look(stores.key_value(&StoreHandle::named("cities"))?));
    sales.process::<_, String, String>(look, &[]).to("sold");
    builder.build().expect("a topology")
}

/// How many records were restored, by topic.
#[derive(Clone, Debug, Default)]
pub(crate) struct Restored(Arc<Mutex<BTreeMap<String, u64>>>);

impl RestoreListener for Restored {
    fn on_end(&self, changelog: &TopicPartition, _store: &str, total: u64) {
        *self.0.lock().expect("counts").entry(changelog.topic.to_string()).or_default() += total;
    }
}

impl Restored {
    pub(crate) fn take(&self, topic: &str) -> u64 {
        std::mem::take(&mut *self.0.lock().expect("counts")).get(topic).copied().unwrap_or(0)
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let world = Self::without_shops();
        world.cluster.create_topic("shops", 2).expect("a new topic");
        world
    }

    pub(crate) fn without_shops() -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
        let cluster = Cluster::new(Arc::new(clock.clone()));
        for (topic, partitions) in [("sales", 4), ("sold", 1), ("dead", 1)] {
            cluster.create_topic(topic, partitions).expect("a new topic");
        }
        World { clock, cluster }
    }

    pub(crate) fn builder(&self, topology: headwater::processor::Topology, id: u128) -> Builder<FromFeatures> {
        KafkaStreams::builder(topology)
            .application_id(APPLICATION)
            .on(&self.cluster)
            .set("dsl.store.suppliers.class", "in_memory")
            .set("commit.interval.ms", "100")
            .process_id(id)
    }

    pub(crate) fn instance(&self, id: u128) -> Driven {
        self.builder(cities(), id).threads(2).drive().expect("an application")
    }

    /// The shop moves, or, with `None`, is closed.
    pub(crate) fn shop(&self, shop: &str, city: Option<&str>) {
        self.put("shops", shop.as_bytes(), city.map(str::as_bytes));
    }

    pub(crate) fn sale(&self, shop: &str, sale: &str) {
        self.put("sales", shop.as_bytes(), Some(sale.as_bytes()));
    }

    pub(crate) fn put(&self, topic: &str, key: &[u8], value: Option<&[u8]>) {
        let time = Timestamp::from_millis(1_000_000);
        self.cluster.produce(&Topic::from(topic), Some(key), value, time, &Headers::new()).expect("it is stored");
    }

    /// What was sold, in the order of the alphabet.
    pub(crate) fn sold(&self) -> Vec<String> {
        let mut sold = self.values("sold");
        sold.sort();
        sold
    }

    pub(crate) fn values(&self, topic: &str) -> Vec<String> {
        let value = |(_, record): (i32, headwater::record::OwnedRecord)| {
            String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned()
        };
        self.cluster.records(&Topic::from(topic)).into_iter().map(value).collect()
    }

    pub(crate) fn delete(&self, topic: &str) {
        let mut admin = self.cluster.admin(&ClientConfig::new()).expect("an administrator");
        admin.delete_topics(&[Topic::from(topic)], Deadline::NOW).expect("an answer").remove(0).expect("it is gone");
    }

    /// Deletes all records of `shops` before `offset`, in both partitions.
    pub(crate) fn truncate(&self, offset: i64) {
        let mut admin = self.cluster.admin(&ClientConfig::new()).expect("an administrator");
        let before: Vec<_> = (0..2).map(|p| (TopicPartition::new("shops", p), Offset::new(offset))).collect();
        admin.delete_records(&before, Deadline::NOW).expect("they are gone");
    }

    /// Gives each instance so many turns, 20 ms apart.
    pub(crate) fn run(&self, instances: &mut [Driven], turns: usize) {
        for _ in 0..turns {
            for instance in instances.iter_mut() {
                instance.turn();
            }
            self.clock.advance(Duration::from_millis(20));
        }
    }

    /// Turns until `done`; the number of turns only ends a run that will never come to it.
    pub(crate) fn run_until(&self, instances: &mut [Driven], what: &str, done: impl Fn(&[Driven]) -> bool) {
        for _ in 0..5_000 {
            if done(instances) {
                return;
            }
            self.run(instances, 1);
        }
        let states: Vec<State> = instances.iter().map(Driven::state).collect();
        let outcomes: Vec<_> = instances.iter().map(Driven::outcome).collect();
        panic!("it never came to this: {what}; {states:?} {outcomes:?}, sold: {:?}", self.sold());
    }

    pub(crate) fn run_until_running(&self, instances: &mut [Driven]) {
        self.run_until(instances, "all run", all_run);
    }

    /// Runs until nothing of `shops` is left to be read.
    pub(crate) fn run_until_read(&self, instances: &mut [Driven]) {
        let records = self.cluster.records(&Topic::from("shops")).len();
        let last = |partition: i32| {
            let of = self.cluster.records(&Topic::from("shops")).into_iter().filter(|(p, _)| *p == partition);
            of.map(|(_, record)| record.offset.value() + 1).max().unwrap_or(0)
        };
        let ends = [last(0), last(1)];
        self.run_until(instances, &format!("{records} records of shops are read"), |instances| {
            instances.iter().all(|instance| {
                let progress = instance.global_progress();
                progress.len() == 2
                    && progress.iter().zip(ends).all(|(one, end)| one.position.value() >= end && one.lag() == 0)
            })
        });
    }

    /// Sells in the shop and tells the city that was found.
    pub(crate) fn city_of(&self, instances: &mut [Driven], shop: &str) -> String {
        let before = self.values("sold").len();
        self.sale(shop, "pen");
        self.run_until(instances, "it is sold", |_| self.values("sold").len() > before);
        let sold = self.values("sold").pop().expect("it was sold");
        sold.strip_prefix("pen in ").expect("a pen").to_owned()
    }

    pub(crate) fn close(&self, mut instances: Vec<Driven>) {
        for instance in &instances {
            instance.begin_close(CloseOptions::default());
        }
        self.run_until(&mut instances, "all are closed", |instances| {
            instances.iter().all(|instance| instance.state() == State::NotRunning)
        });
    }
}

pub(crate) fn all_run(instances: &[Driven]) -> bool {
    instances.iter().all(|instance| instance.state() == State::Running)
}
