//! Joins of streams with tables.

use std::sync::Arc;

use headwater_record::Record;
use headwater_topology::node::NodeSpec;
use headwater_topology::{BoxError, Inlet, Outlet, Port, ProcessError, Stream, TaskContext};

use crate::operator::{ForJoin, repartition_for_join};
use crate::serdes::Serdes;
use crate::view::View;
use crate::{Grouped, KStream, KTable};

type Join<K, V, VT, W> = Arc<dyn Fn(&K, &V, Option<&VT>) -> Result<W, ProcessError> + Send + Sync>;

struct TableJoin<K: 'static, V: 'static, VT, W: 'static> {
    input: Serdes<K, V>,
    table: Box<dyn View<K, VT>>,
    join: Join<K, V, VT, W>,
    left: bool,
    out: Outlet<Stream<K, W>>,
}

impl<K: 'static, V: 'static, VT, W: 'static> Inlet<Stream<K, V>> for TableJoin<K, V, VT, W> {
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, V>) -> Result<(), ProcessError> {
        let no_key = self.input.key_is_null(record.key);
        if self.input.value_is_null(record.value) || no_key && !self.left {
            cx.drop_record();
            return Ok(());
        }
        let found = if no_key { None } else { self.table.get(cx, record.key)? };
        if found.is_none() && !self.left {
            return Ok(());
        }
        let joined = (self.join)(record.key, record.value, found.as_ref().map(|found| &found.value))?;
        self.out.push(cx, record.with_value(&joined))
    }
}

impl<K: 'static, V: 'static> KStream<K, V> {
    /// Joins each record with the row of its key, as it is when the record comes; a record without one is left out
    /// (`KStream#join` with a `KTable`).
    ///
    /// ```
    /// use headwater_dsl::{Grouped, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let cities = builder.table::<String, String>("cities");
    /// let visits = builder.stream::<String, String>("visits");
    /// visits.join_table(&cities, |_, page, city| format!("{page} from {city}"), Grouped::inherited()).to("places");
    /// assert!(builder.build()?.describe().contains("KSTREAM-JOIN-0000000004"));
    /// # Ok::<(), headwater_topology::TopologyErrors>(())
    /// ```
    pub fn join_table<VT: 'static, W: 'static>(
        &self,
        table: &KTable<K, VT>,
        join: impl Fn(&K, &V, &VT) -> W + Send + Sync + 'static,
        options: Grouped<K, V>,
    ) -> KStream<K, W> {
        self.try_join_table(table, move |key, value, row| Ok::<_, BoxError>(join(key, value, row)), options)
    }

    /// Joins each record with the row of its key, or with nothing where there is none (`KStream#leftJoin` with a `KTable`).
    ///
    /// ```
    /// use headwater_dsl::{Grouped, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let cities = builder.table::<String, String>("cities");
    /// let visits = builder.stream::<String, String>("visits");
    /// let place = |_: &String, page: &String, city: Option<&String>| match city {
    ///     Some(city) => format!("{page} from {city}"),
    ///     None => page.clone(),
    /// };
    /// visits.left_join_table(&cities, place, Grouped::inherited()).to("places");
    /// assert!(builder.build()?.describe().contains("KSTREAM-LEFTJOIN-0000000004"));
    /// # Ok::<(), headwater_topology::TopologyErrors>(())
    /// ```
    pub fn left_join_table<VT: 'static, W: 'static>(
        &self,
        table: &KTable<K, VT>,
        join: impl Fn(&K, &V, Option<&VT>) -> W + Send + Sync + 'static,
        options: Grouped<K, V>,
    ) -> KStream<K, W> {
        self.try_left_join_table(table, move |key, value, row| Ok::<_, BoxError>(join(key, value, row)), options)
    }

    /// As [`KStream::join_table`], with a function that may fail: the processing exception handler then decides.
    pub fn try_join_table<VT: 'static, W: 'static, E: Into<BoxError>>(
        &self,
        table: &KTable<K, VT>,
        join: impl Fn(&K, &V, &VT) -> Result<W, E> + Send + Sync + 'static,
        options: Grouped<K, V>,
    ) -> KStream<K, W> {
        let join: Join<K, V, VT, W> = Arc::new(move |key, value, row| match row {
            Some(row) => join(key, value, row).map_err(ProcessError::user),
            None => Err(ProcessError::user("an inner join was asked to join with nothing")),
        });
        self.joined_with_table(table, join, false, options)
    }

    /// As [`KStream::left_join_table`], with a function that may fail: the processing exception handler then decides.
    pub fn try_left_join_table<VT: 'static, W: 'static, E: Into<BoxError>>(
        &self,
        table: &KTable<K, VT>,
        join: impl Fn(&K, &V, Option<&VT>) -> Result<W, E> + Send + Sync + 'static,
        options: Grouped<K, V>,
    ) -> KStream<K, W> {
        let join: Join<K, V, VT, W> =
            Arc::new(move |key, value, row| join(key, value, row).map_err(ProcessError::user));
        self.joined_with_table(table, join, true, options)
    }

    /// The options are the serdes of the repartition topic, where one is needed, and the name of both (Java's `Joined`).
    fn joined_with_table<VT: 'static, W: 'static>(
        &self,
        table: &KTable<K, VT>,
        join: Join<K, V, VT, W>,
        left: bool,
        options: Grouped<K, V>,
    ) -> KStream<K, W> {
        let serdes = options.serdes.or(&self.serdes);
        let draft = self.draft();
        if !draft.takes(table.draft()) {
            return KStream::at(Port::new(draft, self.node()), serdes.key_only(), false);
        }
        let ForJoin { stream: upstream, topics } = repartition_for_join(self, options.name.as_deref(), &serdes);
        let prefix = if left { "KSTREAM-LEFTJOIN-" } else { "KSTREAM-JOIN-" };
        let name = draft.name_or(options.name.as_deref(), prefix);
        let node = draft.add_node(NodeSpec::processor(name, [upstream.node()]));
        table.views.connect(draft, node);
        if left {
            draft.keep_null_keys_above(node);
        }
        draft.copartition(topics.union(&draft.topics_above(table.node())).cloned().collect());
        let (views, input) = (table.views.clone(), serdes.clone());
        upstream.port.listen(
            node,
            Arc::new(move |wiring| {
                let (table, out) = (views.open(wiring)?, wiring.outlet(node)?);
                Ok(Box::new(TableJoin { input: input.clone(), table, join: Arc::clone(&join), left, out }))
            }),
        );
        KStream::at(Port::new(draft, node), serdes.key_only(), false)
    }
}
