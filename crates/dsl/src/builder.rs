//! Where a topology begins.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use headwater_record::DefaultSerde;
use headwater_store::{Logging, StoreSpec};
use headwater_topology::by_hand::TopologyBuilder;
use headwater_topology::node::{NodeSpec, SourceTopics};
use headwater_topology::processor::{Processor, ProcessorSupplier, ProcessorWrapper};
use headwater_topology::{Draft, Port, Topology, TopologyError, TopologyErrors, TopologySettings};

use crate::checks;
use crate::operator::{GivenBy, missing_serde, table_source};
use crate::serdes::Serdes;
use crate::sources::Sources;
use crate::{Consumed, GlobalKTable, KStream, KTable, Materialized, Topics};

/// Writes a topology of streams and tables (Java's `StreamsBuilder`).
///
/// Mistakes do not panic and do not stop the writing: [`StreamsBuilder::build`] reports all of them.
///
/// ```
/// use headwater::dsl::StreamsBuilder;
/// let builder = StreamsBuilder::new();
/// builder.stream::<String, String>("in").filter(|_, text| !text.is_empty()).to("out");
/// let topology = builder.build()?;
/// println!("{}", topology.describe());
/// # Ok::<(), headwater::processor::TopologyErrors>(())
/// ```
#[derive(Clone, Default)]
pub struct StreamsBuilder {
    draft: Draft,
    // A second stream of the same topics reads through the first, as in Java.
    sources: Arc<Mutex<Sources>>,
}

/// Who reads a topic.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    Stream,
    Table,
}

impl StreamsBuilder {
    /// An empty topology.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty topology whose settings are known from the start (Java's constructor with a `TopologyConfig`).
    ///
    /// As in Java, `topology.optimization` is only looked at in the settings of [`StreamsBuilder::build_with`].
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// use headwater::processor::TopologySettings;
    /// let settings = TopologySettings::new().with("ensure.explicit.internal.resource.naming", "true");
    /// let builder = StreamsBuilder::with_settings(settings);
    /// let _ = builder.stream::<String, String>("visits").group_by_key().count();
    /// let mistakes = builder.build().unwrap_err().to_string();
    /// assert!(mistakes.contains("state store(s) has not been named: KSTREAM-AGGREGATE-STATE-STORE-0000000001"));
    /// ```
    pub fn with_settings(settings: TopologySettings) -> Self {
        StreamsBuilder { draft: Draft::with_settings(settings), ..Self::default() }
    }

    /// Puts `wrapper` around every processor, those of operators included (`processor.wrapper.class`, KIP-1112).
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use std::sync::{Arc, Mutex};
    ///
    /// use headwater::dsl::StreamsBuilder;
    /// use headwater::processor::ProcessorWrapper;
    /// use headwater::processor::{ProcessError, TaskContext};
    ///
    /// /// Counts the records that come to each processor.
    /// #[derive(Default)]
    /// struct Counts(Mutex<BTreeMap<String, u64>>);
    /// impl ProcessorWrapper for Counts {
    ///     fn process(
    ///         &self,
    ///         node: &str,
    ///         cx: &mut TaskContext<'_>,
    ///         process: &mut dyn FnMut(&mut TaskContext<'_>) -> Result<(), ProcessError>,
    ///     ) -> Result<(), ProcessError> {
    ///         *self.0.lock().expect("nobody panics").entry(node.to_owned()).or_default() += 1;
    ///         process(cx)
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.wrap_processors(Arc::new(Counts::default()));
    /// builder.values::<String>("lines").filter(|_, line| !line.is_empty()).to("copies");
    /// # builder.build()?;
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn wrap_processors(&self, wrapper: Arc<dyn ProcessorWrapper>) {
        self.draft.wrap_processors(wrapper);
    }

    /// The records of one or more topics (`StreamsBuilder#stream`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, i64>("sales").to("copies");
    /// assert!(builder.build()?.describe().contains("Source: KSTREAM-SOURCE-0000000000 (topics: [sales])"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn stream<K: DefaultSerde, V: DefaultSerde>(&self, topics: impl Into<Topics>) -> KStream<K, V> {
        let serdes = Serdes::none().or_default();
        self.stream_with(topics, Consumed { serdes, ..Consumed::inherited() })
    }

    /// The values of a topic whose keys do not matter and may be missing: every key is read as `()`.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder.values::<String>("lines").select_key(|_, line| line.len() as i64).to("by-length");
    /// # builder.build()?;
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn values<V: DefaultSerde>(&self, topics: impl Into<Topics>) -> KStream<(), V> {
        self.stream(topics)
    }

    /// As [`StreamsBuilder::stream`], with options; see [`Consumed`] for an example.
    #[must_use]
    pub fn stream_with<K: 'static, V: 'static>(
        &self,
        topics: impl Into<Topics>,
        consumed: Consumed<K, V>,
    ) -> KStream<K, V> {
        let consumed = consumed.resolved();
        let name = self.draft.name_or(consumed.name.as_deref(), "KSTREAM-SOURCE-");
        self.source(name, topics.into(), consumed, Reader::Stream)
    }

    /// The last value of every key of a topic (`StreamsBuilder#table`). A record whose value is null deletes its key's row, whatever
    /// `V` is: the values of a table are never null, and to read them as `Option` is a mistake.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// // Where a row is deleted, `to_stream` hands on `None`.
    /// builder.table::<String, i64>("stock").filter(|_, pieces| *pieces == 0).to_stream().to("sold-out");
    /// assert!(builder.build()?.describe().contains("Processor: KTABLE-SOURCE-0000000002"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn table<K: DefaultSerde, V: DefaultSerde + Clone>(&self, topic: &str) -> KTable<K, V> {
        let serdes = Serdes::none().or_default();
        self.table_with(topic, Consumed { serdes, ..Consumed::inherited() }, Materialized::inherited())
    }

    /// As [`StreamsBuilder::table`], with options. The table is kept in a store when the options name one.
    ///
    /// ```
    /// use headwater::dsl::{Consumed, Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let stock = builder.table_with("stock", Consumed::<String, i64>::by_type(), Materialized::named("pieces"));
    /// assert_eq!(stock.queryable_store().map(|store| store.name()), Some("pieces"));
    /// assert!(builder.build()?.describe().contains("KTABLE-SOURCE-0000000001 (stores: [pieces])"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn table_with<K: 'static, V: Clone + 'static>(
        &self,
        topic: &str,
        consumed: Consumed<K, V>,
        materialized: Materialized<K, V>,
    ) -> KTable<K, V> {
        let consumed = consumed.resolved();
        let store = match &materialized.name {
            Some(name) => self.draft.checked(name),
            None => self.draft.next_name(&format!("{topic}-STATE-STORE-")),
        };
        let source = self.draft.name_with_suffix_or(consumed.name.as_deref(), "-source", "KSTREAM-SOURCE-");
        let name = self.draft.name_or(consumed.name.as_deref(), "KTABLE-SOURCE-");
        let serdes = materialized.serdes().or(&consumed.serdes);
        let stream = self.rows(source, topic, consumed);
        self.draft.belongs_below(stream.node());
        table_source(&stream, Option::as_ref, name, &store, &materialized, serdes, Some(topic))
    }

    /// A table of which every instance has all (`StreamsBuilder#globalTable`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let shops = builder.global_table::<String, String>("shops");
    /// let sales = builder.stream::<String, String>("sales");
    /// sales.join_global(&shops, |_, shop| shop.clone(), |_, _, city| city.clone()).to("cities");
    /// assert!(builder.build()?.describe().contains("Sub-topology: 0 for global store (will not generate tasks)"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn global_table<K: DefaultSerde, V: DefaultSerde + Clone>(&self, topic: &str) -> GlobalKTable<K, V> {
        let consumed = Consumed::with(K::default_serde(), V::default_serde());
        self.global_table_with(topic, consumed, Materialized::inherited())
    }

    /// As [`StreamsBuilder::global_table`], with options. Its topic is its changelog, whatever they say.
    pub fn global_table_with<K: 'static, V: Clone + 'static>(
        &self,
        topic: &str,
        consumed: Consumed<K, V>,
        materialized: Materialized<K, V>,
    ) -> GlobalKTable<K, V> {
        let consumed = consumed.resolved();
        let store = match &materialized.name {
            Some(name) => self.draft.checked(name),
            None => self.draft.next_name(&format!("{topic}-STATE-STORE-")),
        };
        let source = self.draft.name_with_suffix_or(consumed.name.as_deref(), "-source", "KSTREAM-SOURCE-");
        let name = self.draft.name_or(consumed.name.as_deref(), "KTABLE-SOURCE-");
        let serdes = materialized.serdes().or(&consumed.serdes);
        let stream = self.rows(source, topic, consumed);
        if materialized.history.is_some() {
            self.draft.mistake(TopologyError::Invalid("GlobalTables cannot be versioned.".to_owned()));
        }
        let materialized = materialized.with_name(store.as_str()).with_logging_disabled().with_caching_disabled();
        let table = table_source(&stream, Option::as_ref, name, &store, &materialized, serdes, None);
        let kept = self.draft.node(table.node()).and_then(|node| node.keeps).zip(table.store.by_key().cloned());
        if let Some((id, _)) = &kept {
            self.draft.change_store(*id, |store| {
                store.global = true;
                store.source_topic = Some(topic.to_owned());
            });
        }
        GlobalKTable { draft: self.draft.clone(), kept }
    }

    /// The changes of a table's rows.
    fn rows<K: 'static, V: 'static>(
        &self,
        source: String,
        topic: &str,
        consumed: Consumed<K, V>,
    ) -> KStream<K, Option<V>> {
        // There is no telling types apart but by their names; what is missed here works, with an `Option` in an `Option`.
        let value = std::any::type_name::<V>();
        if let Some(inner) = value.strip_prefix("core::option::Option<") {
            self.draft.mistake(TopologyError::Argument(format!(
                "the table of topic {topic} is read with values of {value}, but a null deletes a row and is no value: read it with values of {}",
                inner.strip_suffix('>').unwrap_or(inner)
            )));
        }
        self.source(source, topic.into(), consumed.of_rows(), Reader::Table)
    }

    fn source<K: 'static, V: 'static>(
        &self,
        name: String,
        topics: Topics,
        consumed: Consumed<K, V>,
        reader: Reader,
    ) -> KStream<K, V> {
        let Consumed { serdes, reset, extractor, .. } = consumed;
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let merged = match reader {
            Reader::Stream => sources.merge::<K, V>(&topics, reset),
            Reader::Table => Ok(None),
        };
        if let Err(mistake) = topics.check() {
            self.draft.mistake(mistake);
        }
        let first = merged.unwrap_or_else(|(other, mistake)| {
            self.draft.mistake(mistake);
            Some(other)
        });
        let node = first.unwrap_or_else(|| {
            let named = match topics.clone() {
                Topics::Named(topics) => SourceTopics::Named(topics),
                Topics::Matching(pattern) => SourceTopics::Pattern(pattern),
            };
            let node = self.draft.add_node(NodeSpec::source(name.as_str(), named, reset));
            match serdes.both() {
                Some((key, value)) => crate::operator::add_source(&self.draft, node, key, value, extractor),
                None => self.draft.mistake(missing_serde(&name, &serdes, GivenBy::Consumed)),
            }
            if reader == Reader::Stream {
                sources.add::<K, V>(topics, reset, node);
            }
            node
        });
        KStream { port: Port::new(&self.draft, node), serdes, repartition: false }
    }

    /// Adds a store that processors connect to by its name (`StreamsBuilder#addStateStore`). Processors open it with a
    /// [`StoreHandle`](headwater_topology::state::StoreHandle) of that name.
    ///
    /// ```
    /// use headwater::prelude::*;
    /// use headwater::processor::prelude::*;
    ///
    /// /// Hands on the first record of each key.
    /// struct First(Rc<KeyValueState<String, i64>>);
    /// impl Processor<String, i64, String, i64> for First {
    ///     fn process(
    ///         &mut self,
    ///         cx: &mut ProcessorContext<'_, '_, String, i64>,
    ///         record: Record<'_, String, i64>,
    ///     ) -> Result<(), ProcessError> {
    ///         if self.0.value(cx, record.key)?.is_some() {
    ///             return Ok(());
    ///         }
    ///         self.0.put_at(cx, record.key, *record.value, &record)?;
    ///         cx.forward(record)
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.add_state_store(StoreSpec::key_value("seen"));
    /// let input = builder.stream::<String, i64>("in");
    /// input.process(|stores| Ok(First(stores.key_value(&StoreHandle::named("seen"))?)), &["seen"]).to("firsts");
    /// assert!(builder.build()?.describe().contains("KSTREAM-PROCESSOR-0000000001 (stores: [seen])"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn add_state_store(&self, store: StoreSpec) {
        self.draft.add_own_store(store);
    }

    /// Adds a store that every instance fills whole from `topic`, through a processor that writes it and has nothing below it: it
    /// hands on records of `()`, Java's `Void` (`StreamsBuilder#addGlobalStore`). Every processor of the topology may read the
    /// store. The topic is its changelog: logging is switched off. [`TopologyBuilder::add_global_store`] takes the same processors.
    ///
    /// ```
    /// use headwater::prelude::*;
    /// use headwater::processor::prelude::*;
    ///
    /// struct Fill(Rc<KeyValueState<String, String>>);
    /// impl Processor<String, String, (), ()> for Fill {
    ///     fn process(
    ///         &mut self,
    ///         cx: &mut ProcessorContext<'_, '_, (), ()>,
    ///         record: Record<'_, String, String>,
    ///     ) -> Result<(), ProcessError> {
    ///         self.0.put_at(cx, record.key, record.value.clone(), &record)
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.add_global_store(StoreSpec::key_value("names"), "names", Consumed::by_type(), |stores| {
    ///     Ok(Fill(stores.key_value(&StoreHandle::named("names"))?))
    /// });
    /// assert!(builder.build()?.describe().contains("KTABLE-SOURCE-0000000001 (stores: [names])"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn add_global_store<P, K: 'static, V: 'static>(
        &self,
        store: StoreSpec,
        topic: &str,
        consumed: Consumed<K, V>,
        supplier: impl ProcessorSupplier<P>,
    ) where
        P: Processor<K, V, (), ()>,
    {
        let consumed = consumed.resolved();
        let source = self.draft.name_with_suffix_or(consumed.name.as_deref(), "-source", "KSTREAM-SOURCE-");
        let name = self.draft.name_or(consumed.name.as_deref(), "KTABLE-SOURCE-");
        let stream = self.source(source, topic.into(), consumed, Reader::Table);
        let store = self.draft.add_own_store(StoreSpec { logging: Logging::Disabled, ..store });
        self.draft.change_store(store, |store| {
            store.global = true;
            store.source_topic = Some(topic.to_owned());
        });
        let filled: KStream<(), ()> = stream.processed(name, supplier, &[], Serdes::none(), false);
        self.draft.connect(filled.node(), store);
    }

    /// Writes nodes by hand into the same topology (Java's `Topology`); [`KStream::node_ref`] puts them below a stream.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// use headwater::record::DefaultSerde;
    /// use headwater::processor::{SinkSpec, SourceSpec};
    /// let builder = StreamsBuilder::new();
    /// builder.values::<String>("lines").to("copies");
    /// let words = SourceSpec::topics(["words"], String::default_serde(), String::default_serde());
    /// let source = builder.by_hand().add_source("words-source", words);
    /// let copies = SinkSpec::topic("words-copies", String::default_serde(), String::default_serde());
    /// builder.by_hand().add_sink("words-sink", copies, &[&source]);
    /// assert!(builder.build()?.describe().contains("Source: words-source (topics: [words])"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn by_hand(&self) -> TopologyBuilder {
        TopologyBuilder::over(&self.draft)
    }

    /// The topology (`StreamsBuilder#build`), not optimised.
    ///
    /// ```
    /// use headwater::dsl::{Materialized, Repartitioned, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let visits = builder.stream::<String, String>("visits");
    /// let _ = visits.repartition_with(Repartitioned::inherited().with_partitions(0));
    /// let _ = visits.group_by_key().count_with(Materialized::named("no good name"));
    /// let mistakes = builder.build().unwrap_err();
    /// assert_eq!(mistakes.iter().count(), 2);
    /// assert!(mistakes.to_string().contains("Number of partitions must be at least 1."));
    /// ```
    ///
    /// # Errors
    /// All mistakes that were made, in the order in which they were made.
    pub fn build(&self) -> Result<Topology, TopologyErrors> {
        // Java's optimiser hears of nothing but the settings of `build`.
        const OPTIMIZATION: &str = "topology.optimization";
        let settings = self.draft.settings();
        if let Some(asked) = settings.value(OPTIMIZATION).filter(|asked| *asked != "none") {
            tracing::warn!(asked, "{OPTIMIZATION} of a builder has no effect, as in Java: give it to `build_with`");
        }
        self.build_with(&settings.without(OPTIMIZATION))
    }

    /// The topology, with settings that shape it, such as `topology.optimization` (Java's `build(Properties)`); the others of an
    /// application may be among them.
    ///
    /// ```
    /// use headwater::dsl::{Consumed, Materialized, StreamsBuilder};
    /// use headwater::processor::TopologySettings;
    /// let builder = StreamsBuilder::new();
    /// let _ = builder.table_with("stock", Consumed::<String, i64>::by_type(), Materialized::named("pieces"));
    /// // The topic that the table is read from serves as its changelog.
    /// let topology = builder.build_with(&TopologySettings::new().with("topology.optimization", "all"))?;
    /// let (_, pieces) = topology.stores().next().expect("the table has a store");
    /// assert_eq!(pieces.source_changelog.as_deref(), Some("stock"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    ///
    /// # Errors
    /// As [`StreamsBuilder::build`], and for settings that cannot be.
    pub fn build_with(&self, settings: &TopologySettings) -> Result<Topology, TopologyErrors> {
        let mut topology = self.draft.freeze(settings)?;
        if let Some(format) = settings.row_format() {
            topology = topology.with_row_format(format);
        }
        let unnamed = checks::explicit_names(&self.draft);
        match TopologyErrors::of(settings.mistakes().into_iter().chain(unnamed).collect()) {
            Some(mistakes) => Err(mistakes),
            None => Ok(topology),
        }
    }
}

impl fmt::Debug for StreamsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamsBuilder({:?})", self.draft)
    }
}
