//! `nullable` on tables: what a handle knows of null.

use headwater_record::Nullable;
use headwater_topology::{Change, Inlet, Port, ProcessError, Table, TaskContext, Update};

use crate::KTable;

/// Takes the null of a type for a deleted key.
struct NullIsNone<K: 'static, V: 'static>(Box<dyn Inlet<Table<K, V>>>);

impl<K: 'static, V: Nullable + 'static> Inlet<Table<K, V>> for NullIsNone<K, V> {
    fn push(&mut self, cx: &mut TaskContext<'_>, update: Update<'_, K, V>) -> Result<(), ProcessError> {
        let Change { new, old, is_latest } = update.change;
        let is_null = |value: &Option<V>| value.as_ref().is_some_and(Nullable::is_null);
        self.0.push(
            cx,
            update.with_change(Change {
                new: if is_null(new) { &None } else { new },
                old: if is_null(old) { &None } else { old },
                is_latest,
            }),
        )
    }
}

impl<K: 'static, V: Nullable + 'static> KTable<K, V> {
    /// The same table, whose values that are null by their own type count as deleted, as they do in Java. Nothing is added to the
    /// topology. It is needed only where no serde says so: after `map_values` without options, for instance.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let known = builder.table::<String, String>("names").map_values(|_, name| name.parse::<i64>().ok()).nullable();
    /// known.filter(|_, number| *number > Some(3)).to_stream().into_nullable().to("numbers");
    /// # builder.build()?;
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn nullable(&self) -> Self {
        let port: Port<Table<K, V>> = self.port.seen_as(|inlet| Box::new(NullIsNone(inlet)));
        KTable { port, views: self.views.non_null(), ..self.clone() }
    }
}
