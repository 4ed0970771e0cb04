//! What those see of the task's stores who read them from elsewhere.

use std::sync::Arc;

use headwater_store::{Asked, StoreError, View};
use headwater_topology::{SharedStore, StoreId};

use super::StreamTask;
use crate::query::Position;
use crate::task::TaskError;

impl StreamTask {
    /// Of a task that has nothing to commit: has stores in memory show what they have to those who read them from elsewhere. Those on
    /// disk need not be asked, and write nothing outside a commit.
    ///
    /// # Errors
    /// What a store says; the others do all the same.
    pub(crate) fn show_committed(&mut self) -> Result<(), StoreError> {
        let show = |store: &SharedStore| {
            store.write(|store| if store.state().is_persistent() { Ok(()) } else { store.state_mut().commit(None) })
        };
        self.stores.values().map(show).fold(Ok(()), Result::and)
    }

    /// A view of `store` as it is now, with what lies in its record cache unless that is to be skipped: of what is `asked` for at least.
    /// `None`: its make has no such views.
    ///
    /// # Errors
    /// What the store says, or the serdes of what lies in the cache.
    pub(crate) fn show_uncommitted(
        &mut self,
        store: StoreId,
        asked: &Asked<'_>,
        skips_cache: bool,
    ) -> Result<Option<Arc<View>>, TaskError> {
        let task = self.spec.id;
        let StreamTask { stores, graph, .. } = self;
        let Some(shared) = stores.get(&store) else { return Ok(None) };
        let mut cached = Ok(());
        let view = shared.write(|bytes| {
            bytes.state_mut().uncommitted(asked, &mut |copy| {
                if !skips_cache {
                    cached = graph.show_cached(store, asked, copy);
                }
            })
        });
        let view = view.map_err(|error| TaskError::Store { task, error })?;
        cached.map_err(|error| TaskError::Process { task, error })?;
        Ok(view)
    }

    /// How much of its input what it has committed has seen, as far as it knows.
    pub(crate) fn committed_position(&self) -> Arc<Position> {
        Arc::clone(&self.position)
    }

    /// How much of its input its stores have seen.
    pub(crate) fn position(&self) -> Position {
        let mut position = Position::clone(&self.position);
        for queue in self.group.queues() {
            if let Some(offset) = queue.last_taken() {
                position.saw(queue.partition(), offset);
            }
        }
        position
    }
}
