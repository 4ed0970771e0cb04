//! Tables that every instance has all of, and streams joined with them.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::Record;
use headwater_topology::node::NodeSpec;
use headwater_topology::state::{KeyValueState, StoreHandle};
use headwater_topology::{BoxError, Draft, Inlet, Outlet, Port, ProcessError, StoreId, Stream, TaskContext};

use crate::KStream;
use crate::serdes::Serdes;

/// A table of which every instance has all partitions (Java's `GlobalKTable`): streams are joined with it by any key, without
/// repartitioning.
pub struct GlobalKTable<K, V> {
    /// `None` when a serde was missing, which is a mistake of its own.
    pub(crate) draft: Draft,
    pub(crate) kept: Option<(StoreId, StoreHandle<K, V>)>,
}

impl<K, V> GlobalKTable<K, V> {
    /// The store that keeps the table (`GlobalKTable#queryableStoreName`); `None` when it could not be written for want of a serde.
    ///
    /// ```
    /// use headwater_dsl::{Consumed, Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let shops =
    ///     builder.global_table_with("shops", Consumed::<i64, String>::by_type(), Materialized::named("city-of-shop"));
    /// assert_eq!(shops.store().map(|store| store.name()), Some("city-of-shop"));
    /// # builder.build()?;
    /// # Ok::<(), headwater_topology::TopologyErrors>(())
    /// ```
    pub fn store(&self) -> Option<&StoreHandle<K, V>> {
        self.kept.as_ref().map(|(_, store)| store)
    }
}

impl<K, V> Clone for GlobalKTable<K, V> {
    fn clone(&self) -> Self {
        GlobalKTable { draft: self.draft.clone(), kept: self.kept.clone() }
    }
}

impl<K, V> fmt::Debug for GlobalKTable<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GlobalKTable({})", self.store().map_or("", |store| store.name()))
    }
}

type Select<K, V, KG> = Arc<dyn Fn(&K, &V) -> Result<KG, ProcessError> + Send + Sync>;
type Join<K, V, VG, W> = Arc<dyn Fn(&K, &V, Option<&VG>) -> Result<W, ProcessError> + Send + Sync>;

struct GlobalJoin<K: 'static, V: 'static, KG: 'static, VG: 'static, W: 'static> {
    input: Serdes<K, V>,
    table: StoreHandle<KG, VG>,
    state: Rc<KeyValueState<KG, VG>>,
    select: Select<K, V, KG>,
    join: Join<K, V, VG, W>,
    left: bool,
    out: Outlet<Stream<K, W>>,
}

impl<K: 'static, V: 'static, KG: 'static, VG: 'static, W: 'static> Inlet<Stream<K, V>> for GlobalJoin<K, V, KG, VG, W> {
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, V>) -> Result<(), ProcessError> {
        let mapped = (self.select)(record.key, record.value)?;
        let no_key = self.table.key_serde().is_null(&mapped);
        if self.input.value_is_null(record.value) || no_key && !self.left {
            cx.drop_record();
            return Ok(());
        }
        let found = if no_key { None } else { self.state.get(cx, &mapped)? };
        if found.is_none() && !self.left {
            return Ok(());
        }
        let joined = (self.join)(record.key, record.value, found.as_ref().map(|found| &found.value))?;
        self.out.push(cx, record.with_value(&joined))
    }
}

impl<K: 'static, V: 'static> KStream<K, V> {
    /// Joins each record with the row that `select` names a key of; a record without one is left out (`KStream#join` with a
    /// `GlobalKTable`).
    ///
    /// ```
    /// use headwater_dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let shops = builder.global_table::<String, String>("shops");
    /// let sales = builder.stream::<String, String>("sales");
    /// sales.join_global(&shops, |_, shop| shop.clone(), |_, shop, city| format!("{shop} in {city}")).to("places");
    /// assert!(builder.build()?.describe().contains("KSTREAM-LEFTJOIN-0000000004"));
    /// # Ok::<(), headwater_topology::TopologyErrors>(())
    /// ```
    pub fn join_global<KG: 'static, VG: 'static, W: 'static>(
        &self,
        table: &GlobalKTable<KG, VG>,
        select: impl Fn(&K, &V) -> KG + Send + Sync + 'static,
        join: impl Fn(&K, &V, &VG) -> W + Send + Sync + 'static,
    ) -> KStream<K, W> {
        let select = move |key: &K, value: &V| Ok::<_, BoxError>(select(key, value));
        self.try_join_global(table, select, move |key, value, row| Ok(join(key, value, row)))
    }

    /// Joins each record with the row that `select` names a key of, or with nothing where there is none (`KStream#leftJoin` with
    /// a `GlobalKTable`).
    ///
    /// ```
    /// use headwater_dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let shops = builder.global_table::<String, String>("shops");
    /// let sales = builder.stream::<String, String>("sales");
    /// let city = |_: &String, _: &String, city: Option<&String>| city.cloned().unwrap_or_default();
    /// sales.left_join_global(&shops, |_, shop| shop.clone(), city).to("cities");
    /// assert!(builder.build()?.describe().contains("KSTREAM-LEFTJOIN-0000000004"));
    /// # Ok::<(), headwater_topology::TopologyErrors>(())
    /// ```
    pub fn left_join_global<KG: 'static, VG: 'static, W: 'static>(
        &self,
        table: &GlobalKTable<KG, VG>,
        select: impl Fn(&K, &V) -> KG + Send + Sync + 'static,
        join: impl Fn(&K, &V, Option<&VG>) -> W + Send + Sync + 'static,
    ) -> KStream<K, W> {
        let select = move |key: &K, value: &V| Ok::<_, BoxError>(select(key, value));
        self.try_left_join_global(table, select, move |key, value, row| Ok(join(key, value, row)))
    }

    /// As [`KStream::join_global`], with functions that may fail: the processing exception handler then decides.
    pub fn try_join_global<KG: 'static, VG: 'static, W: 'static, E: Into<BoxError>>(
        &self,
        table: &GlobalKTable<KG, VG>,
        select: impl Fn(&K, &V) -> Result<KG, E> + Send + Sync + 'static,
        join: impl Fn(&K, &V, &VG) -> Result<W, E> + Send + Sync + 'static,
    ) -> KStream<K, W> {
        let select: Select<K, V, KG> = Arc::new(move |key, value| select(key, value).map_err(ProcessError::user));
        let join: Join<K, V, VG, W> = Arc::new(move |key, value, row| match row {
            Some(row) => join(key, value, row).map_err(ProcessError::user),
            None => Err(ProcessError::user("an inner join was asked to join with nothing")),
        });
        self.joined_globally(table, select, join, false)
    }

    /// As [`KStream::left_join_global`], with functions that may fail: the processing exception handler then decides.
    pub fn try_left_join_global<KG: 'static, VG: 'static, W: 'static, E: Into<BoxError>>(
        &self,
        table: &GlobalKTable<KG, VG>,
        select: impl Fn(&K, &V) -> Result<KG, E> + Send + Sync + 'static,
        join: impl Fn(&K, &V, Option<&VG>) -> Result<W, E> + Send + Sync + 'static,
    ) -> KStream<K, W> {
        let select: Select<K, V, KG> = Arc::new(move |key, value| select(key, value).map_err(ProcessError::user));
        let join: Join<K, V, VG, W> =
            Arc::new(move |key, value, row| join(key, value, row).map_err(ProcessError::user));
        self.joined_globally(table, select, join, true)
    }

    fn joined_globally<KG: 'static, VG: 'static, W: 'static>(
        &self,
        table: &GlobalKTable<KG, VG>,
        select: Select<K, V, KG>,
        join: Join<K, V, VG, W>,
        left: bool,
    ) -> KStream<K, W> {
        let draft = self.draft();
        draft.takes(&table.draft);
        // Java has one prefix for both.
        let name = draft.next_name("KSTREAM-LEFTJOIN-");
        let node = draft.add_node(NodeSpec::processor(name, [self.node()]));
        if left {
            draft.keep_null_keys_above(node);
        }
        if let Some((id, handle)) = table.kept.clone() {
            let input = self.serdes.clone();
            self.port.listen(
                node,
                Arc::new(move |wiring| {
                    let state = KeyValueState::open(wiring, id, &handle)?;
                    let (select, join) = (Arc::clone(&select), Arc::clone(&join));
                    let (input, table, out) = (input.clone(), handle.clone(), wiring.outlet(node)?);
                    Ok(Box::new(GlobalJoin { input, table, state, select, join, left, out }))
                }),
            );
        }
        KStream::at(Port::new(draft, node), self.serdes.key_only(), self.repartition)
    }
}
