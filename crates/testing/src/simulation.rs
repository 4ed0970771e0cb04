//! Whole applications on one thread, in virtual time, while by a seed's dice everything goes wrong that can: [`Simulation`].
#![doc = include_str!("../../../docs/simulation.md")]

mod clients;
mod dice;
mod disk;
mod disturb;
mod input;
mod ledger;
mod output;
mod plan;
mod process;
mod report;
mod run;
mod settle;
mod stage;
mod stores;
mod world;

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use headwater_store::StoreSupplier;
use headwater_topology::Topology;

pub use self::dice::Dice;
pub use self::input::{Fed, Input, InputRecord};
pub use self::output::{Expected, Outcome, Output};
pub use self::report::{Kind, Report, Violation};

/// How many steps a run takes before it is left to come to rest.
const STEPS: u32 = 40;

/// An application, what it reads, and what must come of it: run with one seed after the other.
///
/// ```
/// use headwater::prelude::*;
/// use headwater::testing::simulation::{Input, InputRecord, Output, Simulation};
///
/// fn count() -> Topology {
///     let builder = StreamsBuilder::new();
///     builder.stream::<String, String>("visits").group_by_key().count().to_stream().to("counts");
///     builder.build().expect("the topology is whole")
/// }
///
/// let visits = Input::topic("visits", 2, |dice| {
///     (0..50).map(|time| InputRecord::text(["home", "shop"][dice.index(2)], "", time)).collect()
/// });
/// let counts = Output::sequence("counts").reached(|expected: &i64, seen: &i64| seen >= expected);
/// let simulation = Simulation::of(count).input(visits).output(counts);
/// for seed in 0..3 {
///     let report = simulation.run(seed);
///     assert!(report.passed(), "{report}");
/// }
/// ```
#[derive(Clone)]
#[must_use]
pub struct Simulation {
    topology: Rc<dyn Fn() -> Topology>,
    inputs: Vec<Input>,
    outputs: Vec<Output>,
    together: Vec<Vec<String>>,
    settings: BTreeMap<String, String>,
    oracle: Option<Rc<dyn Fn(&Fed) -> Expected>>,
    persistent: Option<Arc<dyn StoreSupplier>>,
    exactly_once: Option<bool>,
    steps: u32,
    traced: bool,
}

impl Simulation {
    /// An application of this topology, which every instance makes anew.
    pub fn of(topology: impl Fn() -> Topology + 'static) -> Self {
        Simulation {
            topology: Rc::new(topology),
            inputs: Vec::new(),
            outputs: Vec::new(),
            together: Vec::new(),
            settings: BTreeMap::new(),
            oracle: None,
            persistent: None,
            exactly_once: None,
            steps: STEPS,
            traced: false,
        }
    }

    /// It reads this topic.
    pub fn input(mut self, input: Input) -> Self {
        self.inputs.push(input);
        self
    }

    /// It writes this topic.
    pub fn output(mut self, output: Output) -> Self {
        self.outputs.push(output);
        self
    }

    /// Each record of one of these topics is written together with one of the same key in each of the others: under exactly-once
    /// readers find all of them or none.
    pub fn together<T: Into<String>>(mut self, topics: impl IntoIterator<Item = T>) -> Self {
        self.together.push(topics.into_iter().map(Into::into).collect());
        self
    }

    /// Sets `key` to `value` for all instances, whatever was drawn for it.
    pub fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.insert(key.into(), value.into());
        self
    }

    /// The results, as `oracle` computes them of the input. Without one they are those of a calm run: the same program and input, one instance, and
    /// nothing that goes wrong.
    pub fn expect(self, oracle: impl Fn(&Fed) -> Expected + 'static) -> Self {
        Simulation { oracle: Some(Rc::new(oracle)), ..self }
    }

    /// Keeps stores on disk by this make, as RocksDB, and not on the simulated disk: nothing that was committed is lost there.
    pub fn persistent_stores(self, stores: Arc<dyn StoreSupplier>) -> Self {
        Simulation { persistent: Some(stores), ..self }
    }

    /// Always with (`true`) or without exactly-once, and not as the dice fall.
    pub fn exactly_once(self, exactly_once: bool) -> Self {
        Simulation { exactly_once: Some(exactly_once), ..self }
    }

    /// For how many steps things go wrong; 40 unless it is said.
    pub fn steps(self, steps: u32) -> Self {
        Simulation { steps, ..self }
    }

    /// The report tells what happened, line by line.
    pub fn traced(self, traced: bool) -> Self {
        Simulation { traced, ..self }
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("inputs", &self.inputs)
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}
