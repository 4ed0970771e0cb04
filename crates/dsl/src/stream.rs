//! A stream of records.

use std::fmt;
use std::sync::Arc;

use headwater_record::DefaultSerde;
use headwater_topology::by_hand::NodeRef;
use headwater_topology::{BoxError, Draft, NodeId, Port, ProcessError, RecordContext, Stream, TopologyError};

use crate::checks;
use crate::operator::{GivenBy, NamedAfter, Repartition, repartition_here, repartition_source, sink, table_source};
use crate::row::Row;
use crate::serdes::Serdes;
use crate::{Grouped, KGroupedStream, KTable, Materialized, Produced, Repartitioned};

/// A stream of records: each is a fact of its own (Java's `KStream`).
///
/// Keys and values are never null unless their types have a null, such as `Option`. A topic whose keys do not matter is read by
/// [`StreamsBuilder::values`](crate::StreamsBuilder::values).
///
/// A handle is a place in the topology: calling several operators on it hands every record to each of them, in that order.
pub struct KStream<K: 'static, V: 'static> {
    pub(crate) port: Port<Stream<K, V>>,
    pub(crate) serdes: Serdes<K, V>,
    /// Whether the key was changed since the last topic.
    pub(crate) repartition: bool,
}

impl<K: 'static, V: 'static> Clone for KStream<K, V> {
    fn clone(&self) -> Self {
        KStream { port: self.port.clone(), serdes: self.serdes.clone(), repartition: self.repartition }
    }
}

impl<K: 'static, V: 'static> KStream<K, V> {
    /// The handle of what a node hands on.
    pub(crate) fn at(port: Port<Stream<K, V>>, serdes: Serdes<K, V>, repartition: bool) -> Self {
        KStream { port, serdes, repartition }
    }

    pub(crate) fn draft(&self) -> &Draft {
        self.port.draft()
    }

    pub(crate) fn node(&self) -> NodeId {
        self.port.node()
    }

    /// Groups by the key as it is (`KStream#groupByKey`). Where the key was changed since the last topic, the records go through a
    /// repartition topic.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, i64>("sales").group_by_key().reduce(|sum, amount| sum + amount).to_stream().to("sums");
    /// assert!(!builder.build()?.describe().contains("-repartition"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn group_by_key(&self) -> KGroupedStream<K, V>
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        let serdes = Serdes::none().or(&self.serdes).or_default();
        self.group(serdes, None)
    }

    /// As [`KStream::group_by_key`], with options; see [`Grouped`] for an example.
    #[must_use]
    pub fn group_by_key_with(&self, grouped: Grouped<K, V>) -> KGroupedStream<K, V> {
        let serdes = grouped.serdes.or(&self.serdes);
        self.group(serdes, grouped.name)
    }

    /// Groups by another key (`KStream#groupBy`): the records go through a repartition topic first, so that equal keys meet.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder.values::<String>("words").group_by(|_, word| word.len() as i64).count().to_stream().to("counts");
    /// let text = builder.build()?.describe();
    /// assert!(text.contains("(topic: KSTREAM-AGGREGATE-STATE-STORE-0000000002-repartition)"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn group_by<K2: DefaultSerde>(
        &self,
        select: impl Fn(&K, &V) -> K2 + Send + Sync + 'static,
    ) -> KGroupedStream<K2, V>
    where
        V: DefaultSerde,
    {
        self.select_key(select).group_by_key()
    }

    /// As [`KStream::group_by`], with options; the name given also names the node that selects the key.
    #[must_use]
    pub fn group_by_with<K2: 'static>(
        &self,
        select: impl Fn(&K, &V) -> K2 + Send + Sync + 'static,
        grouped: Grouped<K2, V>,
    ) -> KGroupedStream<K2, V> {
        self.try_group_by_with(move |key, value| Ok::<_, BoxError>(select(key, value)), grouped)
    }

    /// As [`KStream::group_by_with`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_group_by_with<K2: 'static, E: Into<BoxError>>(
        &self,
        select: impl Fn(&K, &V) -> Result<K2, E> + Send + Sync + 'static,
        grouped: Grouped<K2, V>,
    ) -> KGroupedStream<K2, V> {
        let selected = self.try_select_key(select);
        let selected = match &grouped.name {
            Some(name) => selected.named(name),
            None => selected,
        };
        selected.group_by_key_with(grouped)
    }

    fn group(&self, serdes: Serdes<K, V>, name: Option<String>) -> KGroupedStream<K, V> {
        self.need_keys();
        KGroupedStream::new(KStream { serdes, ..self.clone() }, name)
    }

    /// Writes the stream to a topic and reads it back, so that records lie by their key (`KStream#repartition`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder.values::<String>("words").select_key(|_, word| word.clone()).repartition().to("by-word");
    /// let text = builder.build()?.describe();
    /// assert!(text.contains("(topics: [KSTREAM-REPARTITION-0000000002-repartition])"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn repartition(&self) -> Self
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        let serdes = Serdes::none().or(&self.serdes).or_default();
        self.repartition_with(Repartitioned { serdes, ..Repartitioned::inherited() })
    }

    /// As [`KStream::repartition`], with options; see [`Repartitioned`] for an example.
    #[must_use]
    pub fn repartition_with(&self, options: Repartitioned<K, V>) -> Self {
        let prefix = match &options.name {
            Some(name) => self.draft().checked(name),
            None => self.draft().next_name("KSTREAM-REPARTITION-"),
        };
        if options.partitions.is_some_and(|partitions| partitions < 1) {
            let words = "Number of partitions must be at least 1.".to_owned();
            self.draft().mistake(TopologyError::Argument(words));
        }
        let repartition = Repartition {
            after: NamedAfter::given_or(options.name.as_deref(), &prefix),
            serdes: options.serdes.or(&self.serdes),
            partitions: options.partitions,
            partitioner: options.partitioner,
            given_by: GivenBy::Repartitioned,
        };
        repartition_here(self, repartition)
    }

    /// Writes every record to `topic` (`KStream#to`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, i64>("sales").to("copies");
    /// assert!(builder.build()?.describe().contains("Sink: KSTREAM-SINK-0000000001 (topic: copies)"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn to(&self, topic: &str)
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        let serdes = Serdes::none().or(&self.serdes).or_default();
        self.to_with(topic, Produced { serdes, ..Produced::inherited() });
    }

    /// As [`KStream::to`], with options; see [`Produced`] for an example.
    pub fn to_with(&self, topic: &str, produced: Produced<K, V>) {
        sink(self, Some(topic), None, produced);
    }

    /// Writes every record to the topic that `choose` names for it (`KStream#to` with a `TopicNameExtractor`). The topics must
    /// exist.
    ///
    /// ```
    /// use headwater::dsl::{Produced, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let by_country = Produced::inherited().with_chooser_text("ByCountry");
    /// builder.stream::<String, String>("orders").to_chosen_with(|country, _, _| format!("orders-{country}"), by_country);
    /// assert!(builder.build()?.describe().contains("Sink: KSTREAM-SINK-0000000001 (extractor class: ByCountry)"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn to_chosen_with(
        &self,
        choose: impl Fn(&K, &V, &RecordContext) -> String + Send + Sync + 'static,
        produced: Produced<K, V>,
    ) {
        self.try_to_chosen_with(move |key, value, context| Ok::<_, BoxError>(choose(key, value, context)), produced);
    }

    /// As [`KStream::to_chosen_with`], with a function that may fail: the processing exception handler then decides.
    ///
    /// ```
    /// use headwater::prelude::*;
    /// use headwater::testing::TopologyTestDriver;
    /// let builder = StreamsBuilder::new();
    /// let country = |order: &str| order.split_once(':').map(|(country, _)| country.to_owned()).ok_or("no country");
    /// builder.stream::<String, String>("orders").try_to_chosen_with(move |_, order, _| country(order), Produced::inherited());
    ///
    /// let handler = ("processing.exception.handler", "LogAndContinueProcessingExceptionHandler");
    /// let driver = TopologyTestDriver::builder(builder.build()?).settings([handler]).build()?;
    /// driver.input_topic::<String, String>("orders").pipe_all([("1", "pens"), ("2", "fr:ink")])?;
    /// assert_eq!(driver.produced_topics().iter().map(|topic| topic.as_str()).collect::<Vec<_>>(), ["fr"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_to_chosen_with<E: Into<BoxError>>(
        &self,
        choose: impl Fn(&K, &V, &RecordContext) -> Result<String, E> + Send + Sync + 'static,
        produced: Produced<K, V>,
    ) {
        let choose =
            move |key: &K, value: &V, context: &RecordContext| choose(key, value, context).map_err(ProcessError::user);
        sink(self, None, Some(Arc::new(choose)), produced);
    }

    /// The last value of every key (`KStream#toTable`). Of a stream of `Option` values, `None` deletes a row: say which table is
    /// meant by its type.
    ///
    /// ```
    /// use headwater::dsl::{KTable, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let names = builder.stream::<String, String>("names").to_table();
    /// // A null in `moves` deletes a row of `cities`.
    /// let cities: KTable<String, String> = builder.stream::<String, Option<String>>("moves").to_table();
    /// cities.join(&names, |city, name| format!("{name} in {city}")).to_stream().to("people");
    /// assert!(builder.build()?.describe().contains("Processor: KSTREAM-TOTABLE-0000000001"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn to_table<R>(&self) -> KTable<K, R>
    where
        V: Row<R> + DefaultSerde,
        K: DefaultSerde,
        R: DefaultSerde + Clone,
    {
        let serdes = self.serdes.of_rows().or_default();
        self.as_table(None, Materialized { serdes, ..Materialized::inherited() })
    }

    /// As [`KStream::to_table`], with options. The table is kept in a store when the options name one.
    pub fn to_table_with<R: Clone + 'static>(&self, materialized: Materialized<K, R>) -> KTable<K, R>
    where
        V: Row<R>,
    {
        self.as_table(None, materialized)
    }

    /// As [`KStream::to_table_with`], under a name that the repartition topic has too, where one is needed (Java's `toTable` with
    /// `Named`).
    pub fn to_table_named_with<R: Clone + 'static>(&self, name: &str, materialized: Materialized<K, R>) -> KTable<K, R>
    where
        V: Row<R>,
    {
        self.as_table(Some(name), materialized)
    }

    /// Names the node that this handle stands for, instead of the generated name (Java's `Named`). The number that a generated name
    /// would have is used up all the same.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let lengths = builder.values::<String>("lines").map_values(|_, line| line.len() as i64).named("lengths");
    /// assert_eq!(&*lengths.name(), "lengths");
    /// lengths.to("out");
    /// assert!(builder.build()?.describe().contains("Sink: KSTREAM-SINK-0000000002"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        self.draft().rename(self.node(), name);
        self
    }

    /// The name of the node that this handle stands for.
    pub fn name(&self) -> Arc<str> {
        self.draft().node_name(self.node())
    }

    /// The node that this handle stands for, for nodes that are written by hand below it.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// use headwater::record::DefaultSerde;
    /// use headwater::processor::SinkSpec;
    /// let builder = StreamsBuilder::new();
    /// let lines = builder.values::<String>("lines");
    /// let copies = SinkSpec::topic("copies", <()>::default_serde(), String::default_serde());
    /// builder.by_hand().add_sink("copier", copies, &[&lines.node_ref()]);
    /// assert!(builder.build()?.describe().contains("Sink: copier (topic: copies)"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn node_ref(&self) -> NodeRef<K, V> {
        NodeRef::new(self.port.clone())
    }

    /// That the stream has no keys is a mistake here.
    fn need_keys(&self) {
        if let Some(mistake) = checks::keyless::<K>(&self.name()) {
            self.draft().mistake(mistake);
        }
    }

    fn as_table<R: Clone + 'static>(&self, name: Option<&str>, materialized: Materialized<K, R>) -> KTable<K, R>
    where
        V: Row<R>,
    {
        self.need_keys();
        let is_given = name.is_some();
        let name = self.draft().name_or(name, "KSTREAM-TOTABLE-");
        let store = match &materialized.name {
            Some(name) => self.draft().checked(name),
            None => self.draft().next_name("KSTREAM-TOTABLE-STATE-STORE-"),
        };
        let serdes = materialized.serdes().or(&self.serdes.of_rows());
        let upstream = if self.repartition {
            let serdes = Serdes::of(serdes.key.clone(), serdes.value.as_ref().map(|value| value.map(V::of_stream)));
            let (after, given_by) = (NamedAfter { name: &name, is_given }, GivenBy::Materialized);
            repartition_source(self, Repartition { after, serdes, partitions: None, partitioner: None, given_by })
        } else {
            self.clone()
        };
        table_source(&upstream, V::row, name, &store, &materialized, serdes, None)
    }
}

impl<K: 'static, V: 'static> fmt::Debug for KStream<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KStream({})", self.draft().node_name(self.node()))
    }
}
