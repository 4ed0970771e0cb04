//! What processors may ask of the application that they belong to.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::processor::{FixedKeyContext, ProcessorContext};
use crate::{TaskContext, TaskId};

/// The application of a task, as whoever runs it says.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Application {
    /// `application.id`.
    pub id: String,
    /// All settings: those that were given, and the defaults of others.
    pub configs: BTreeMap<String, String>,
    /// The directory of its state, in which each task has one.
    pub state_dir: PathBuf,
}

impl Application {
    fn of_task(&self, task: TaskId) -> PathBuf {
        self.state_dir.join(task.to_string())
    }
}

/// Without its settings: there may be passwords among them.
impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application").field("id", &self.id).field("state_dir", &self.state_dir).finish_non_exhaustive()
    }
}

impl TaskContext<'_> {
    /// The application of this task.
    pub fn application(&self) -> &Application {
        &self.clock.application
    }

    /// Where the state of this task lies that is on disk.
    pub fn state_dir(&self) -> PathBuf {
        self.application().of_task(self.task())
    }
}

impl<K: 'static, V: 'static> ProcessorContext<'_, '_, K, V> {
    /// `application.id`, of which several instances may run.
    pub fn application_id(&self) -> &str {
        &self.task.application().id
    }

    /// All settings of the application, by Kafka's keys: those that were given, and the defaults of others. Keys of one's own may be
    /// given too, which is how processors are told what differs from one installation to the next (Java's `appConfigs`).
    ///
    /// ```
    /// use headwater::prelude::*;
    /// use headwater::processor::prelude::*;
    /// use headwater::testing::TopologyTestDriver;
    ///
    /// /// Hands on what costs more than the setting `shop.limit.cents` says.
    /// struct Dear {
    ///     limit: i64,
    /// }
    ///
    /// impl Processor<String, i64, String, i64> for Dear {
    ///     fn init(&mut self, cx: &mut ProcessorContext<'_, '_, String, i64>) -> Result<(), ProcessError> {
    ///         let limit = cx.app_configs().get("shop.limit.cents");
    ///         let limit = limit.ok_or_else(|| ProcessError::user("shop.limit.cents is not set"))?;
    ///         self.limit = limit.parse().map_err(ProcessError::user)?;
    ///         Ok(())
    ///     }
    ///
    ///     fn process(
    ///         &mut self,
    ///         cx: &mut ProcessorContext<'_, '_, String, i64>,
    ///         sale: Record<'_, String, i64>,
    ///     ) -> Result<(), ProcessError> {
    ///         if *sale.value > self.limit { cx.forward(sale) } else { Ok(()) }
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, i64>("sales").process(|_| Ok(Dear { limit: 0 }), &[]).to("dear");
    /// let driver = TopologyTestDriver::builder(builder.build()?).setting("shop.limit.cents", "5000").build()?;
    /// driver.input_topic::<String, i64>("sales").pipe_all([("pens", 300), ("desk", 20_000)])?;
    /// assert_eq!(driver.output_topic::<String, i64>("dear").read_values()?, [20_000]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn app_configs(&self) -> &BTreeMap<String, String> {
        &self.task.application().configs
    }

    /// The settings that begin with `prefix`, without it (Java's `appConfigsWithPrefix`).
    pub fn app_configs_with_prefix(&self, prefix: &str) -> BTreeMap<String, String> {
        let own = self.app_configs().iter().filter_map(|(key, value)| Some((key.strip_prefix(prefix)?, value)));
        let own = own.filter(|(key, _)| !key.is_empty());
        own.map(|(key, value)| (key.to_owned(), value.clone())).collect()
    }

    /// The directory of this task's state. It is there when the task has a store on disk.
    pub fn state_dir(&self) -> PathBuf {
        self.task.state_dir()
    }
}

impl<K: 'static, V: 'static> FixedKeyContext<'_, '_, '_, K, V> {
    /// As [`ProcessorContext::application_id`].
    pub fn application_id(&self) -> &str {
        self.whole().application_id()
    }

    /// As [`ProcessorContext::app_configs`].
    pub fn app_configs(&self) -> &BTreeMap<String, String> {
        self.whole().app_configs()
    }

    /// As [`ProcessorContext::app_configs_with_prefix`].
    pub fn app_configs_with_prefix(&self, prefix: &str) -> BTreeMap<String, String> {
        self.whole().app_configs_with_prefix(prefix)
    }

    /// As [`ProcessorContext::state_dir`].
    pub fn state_dir(&self) -> PathBuf {
        self.whole().state_dir()
    }
}
