//! `group_by` on tables: rows under another key.

use std::sync::Arc;

use headwater_record::{DefaultSerde, Record};
use headwater_topology::node::NodeSpec;
use headwater_topology::{BoxError, Inlet, Outlet, Port, ProcessError, Stream, Table, TaskContext, Update};

use crate::changed::Changed;
use crate::serdes::{Known, Serdes};
use crate::{Grouped, KGroupedTable, KTable};

type Select<K, V, K2, V2> = Arc<dyn Fn(&K, &V) -> Result<(K2, V2), ProcessError> + Send + Sync>;

/// Java's `KTableRepartitionMap`: where a row was, and where it is now.
struct Regroup<K: 'static, V: 'static, K2: 'static, V2: 'static> {
    table: Serdes<K, V>,
    groups: Serdes<K2, V2>,
    /// The topic that the rows go to.
    topic: String,
    select: Select<K, V, K2, V2>,
    /// Whether the table has versions, of which only the latest counts.
    latest_only: bool,
    out: Outlet<Stream<K2, Changed<V2>>>,
    bytes: (Vec<u8>, Vec<u8>),
}

impl<K: 'static, V: 'static, K2: 'static, V2: 'static> Regroup<K, V, K2, V2> {
    fn selected(&self, key: &K, value: Option<&V>) -> Result<Option<(K2, V2)>, ProcessError> {
        let Some(value) = value else { return Ok(None) };
        let (key, value) = (self.select)(key, value)?;
        let absent = self.groups.key_is_null(&key) || self.groups.value_is_null(&value);
        Ok((!absent).then_some((key, value)))
    }

    /// Keys are equal when their bytes are: nothing is asked of their type.
    fn same_key(&mut self, one: &K2, other: &K2) -> Result<bool, ProcessError> {
        let Some(Known { serde, .. }) = &self.groups.key else { return Ok(false) };
        let (left, right) = &mut self.bytes;
        left.clear();
        right.clear();
        Ok(serde.serialize(&self.topic, one, left)? == serde.serialize(&self.topic, other, right)? && left == right)
    }
}

impl<K: 'static, V: 'static, K2: 'static, V2: 'static> Inlet<Table<K, V>> for Regroup<K, V, K2, V2> {
    fn push(&mut self, cx: &mut TaskContext<'_>, update: Update<'_, K, V>) -> Result<(), ProcessError> {
        if self.table.key_is_null(update.key) {
            return Err(ProcessError::user("Record key for the grouping KTable should not be null."));
        }
        if self.latest_only && !update.change.is_latest {
            return Ok(());
        }
        let new = self.selected(update.key, update.change.new.as_ref())?;
        let old = self.selected(update.key, update.change.old.as_ref())?;
        let mut forward = |this: &mut Self, key: &K2, value: Changed<V2>| {
            this.out.push(cx, Record::new(key, &value, update.timestamp, update.headers))
        };
        match (old, new) {
            (Some((old_key, old)), Some((new_key, new))) => {
                if self.same_key(&old_key, &new_key)? {
                    return forward(self, &new_key, Changed { new: Some(new), old: Some(old) });
                }
                forward(self, &old_key, Changed { new: None, old: Some(old) })?;
                forward(self, &new_key, Changed { new: Some(new), old: None })
            }
            (Some((key, old)), None) => forward(self, &key, Changed { new: None, old: Some(old) }),
            (None, Some((key, new))) => forward(self, &key, Changed { new: Some(new), old: None }),
            (None, None) => Ok(()),
        }
    }
}

impl<K: 'static, V: 'static> KTable<K, V> {
    /// Puts each row under another key, with another value, for aggregates that follow the table's changes (`KTable#groupBy`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .table::<String, String>("city-of-person")
    ///     .group_by(|person, city| (city.clone(), person.clone()))
    ///     .count()
    ///     .to_stream()
    ///     .to("people-by-city");
    /// assert!(builder.build()?.describe().contains("KTABLE-SELECT-0000000003"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn group_by<K2: DefaultSerde, V2: DefaultSerde>(
        &self,
        select: impl Fn(&K, &V) -> (K2, V2) + Send + Sync + 'static,
    ) -> KGroupedTable<K2, V2> {
        self.group_by_with(select, Grouped { serdes: Serdes::none().or_default(), ..Grouped::inherited() })
    }

    /// As [`KTable::group_by`], with options.
    #[must_use]
    pub fn group_by_with<K2: 'static, V2: 'static>(
        &self,
        select: impl Fn(&K, &V) -> (K2, V2) + Send + Sync + 'static,
        grouped: Grouped<K2, V2>,
    ) -> KGroupedTable<K2, V2> {
        self.try_group_by_with(move |key, value| Ok::<_, BoxError>(select(key, value)), grouped)
    }

    /// As [`KTable::group_by_with`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_group_by_with<K2: 'static, V2: 'static, E: Into<BoxError>>(
        &self,
        select: impl Fn(&K, &V) -> Result<(K2, V2), E> + Send + Sync + 'static,
        grouped: Grouped<K2, V2>,
    ) -> KGroupedTable<K2, V2> {
        self.old_values.ask(true);
        let name = self.draft().name_or(grouped.name.as_deref(), "KTABLE-SELECT-");
        let node = self.draft().add_node(NodeSpec::processor(name, [self.node()]));
        let grouped = Grouped { serdes: grouped.serdes.or(&Serdes::none()), ..grouped };
        let (table, groups) = (self.serdes.clone(), grouped.serdes.clone());
        let select: Select<K, V, K2, V2> = Arc::new(move |key, value| select(key, value).map_err(ProcessError::user));
        self.port.listen(
            node,
            Arc::new(move |wiring| {
                let topology = wiring.topology();
                let below = topology.children(node).iter().filter_map(|child| topology.node(*child)?.sink_topic());
                let topic = below.map(str::to_owned).next().unwrap_or_default();
                Ok(Box::new(Regroup {
                    topic,
                    table: table.clone(),
                    groups: groups.clone(),
                    select: Arc::clone(&select),
                    latest_only: wiring.takes_versions(node),
                    out: wiring.outlet(node)?,
                    bytes: (Vec::new(), Vec::new()),
                }))
            }),
        );
        KGroupedTable::new(Port::new(self.draft(), node), grouped)
    }
}
