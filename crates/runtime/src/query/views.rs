//! Which views of a store are read, and who makes them.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use headwater_record::Partition;
use headwater_store::{StoreError, View};

use super::typed::Typed;
use super::{IsolationLevel, Position};
use crate::instance::{Answer, OpenStore, Part, Seen, TaskRole};
use crate::{Error, ErrorKind, host};

/// How long is waited for a stream thread: for the commit after which a store has its first view, or for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// One of each partition.
type Views = BTreeMap<Partition, Seen>;

impl<K, V> Typed<K, V> {
    /// The views to be read, one of each partition that is here. What was not committed they show of `part` at least.
    pub(super) fn views(&self, part: &Part) -> Result<Vec<Arc<View>>, Error> {
        let bound = &self.queries.bound;
        if self.global && !bound.is_unbounded() {
            return Err(self.unavailable("nobody knows how much of its topic a global store has seen"));
        }
        if self.global {
            return self.waited_for(|| self.global_view());
        }
        let uncommitted = self.queries.isolation == IsolationLevel::ReadUncommitted;
        let views = if uncommitted { self.uncommitted(part)? } else { self.committed(|_| true)? };
        if views.is_empty() {
            return Err(self.unavailable("this instance has no task with it"));
        }
        if let Some((partition, seen)) =
            views.iter().find(|(partition, seen)| !bound.admits(**partition, &seen.position))
        {
            let (seen, bound) = (&seen.position, bound.position());
            return Err(
                self.unavailable(&format!("partition {partition} has seen {seen}, and is not up to {bound} yet"))
            );
        }
        if let Some(told) = &self.told {
            let _ = told.set(views.values().fold(Position::default(), |all, seen| all.merge(&seen.position)));
        }
        Ok(views.into_values().map(|seen| seen.view).collect())
    }

    /// As the last commit left them.
    pub(super) fn committed_views(&self) -> Result<Vec<Arc<View>>, Error> {
        let committed =
            Typed { queries: self.queries.clone().with_isolation(IsolationLevel::ReadCommitted), ..self.clone() };
        committed.views(&Part::of((Bound::Unbounded, Bound::Unbounded)))
    }

    /// Tasks that process say what they have now. Standbys and stores that are being restored have nothing but what was committed.
    fn uncommitted(&self, part: &Part) -> Result<Views, Error> {
        let here = self.here()?;
        if here.iter().any(|(_, open)| open.is_active()) && !self.may_wait() {
            return Err(self.unavailable(
                "the thread that asks is one that is to answer: ask from another thread, or read what was committed",
            ));
        }
        let part = &Part { skips_cache: self.skips_cache, ..part.clone() };
        let active = here.into_iter().filter(|(_, open)| open.is_active());
        // All threads are asked before the first is waited for.
        let asked: Vec<_> =
            active.map(|(partition, open)| (partition, open.asks.ask(open.task, self.id, part.clone()))).collect();
        let mut views = if self.queries.stale { self.committed(|open| !open.is_active())? } else { Views::new() };
        for (partition, answer) in asked {
            views.insert(partition, self.answered(answer)?);
        }
        Ok(views)
    }

    /// Whether the store was closed since it was said to be here.
    fn is_gone(&self, partition: Partition, open: &OpenStore) -> bool {
        let closed = open.views.as_ref().filter(|views| views.is_closed());
        closed.is_some_and(|views| {
            self.queries.instance.stores.is_closed(&self.name, partition, views);
            true
        })
    }

    fn answered(&self, answer: Answer) -> Result<Seen, Error> {
        match answer.wait(PATIENCE) {
            Ok(Some(Err(error))) if error.kind() == ErrorKind::Unavailable => Err(self.unavailable(&error.to_string())),
            Ok(Some(answer)) => answer,
            Ok(None) => Err(self.unavailable("its thread has ended")),
            Err(_) => {
                let why = "its thread has not answered: it is busy with a record, or waits for Kafka";
                Err(self.unavailable(&format!("{why} ({} s)", PATIENCE.as_secs())))
            }
        }
    }

    /// As the last commit left those of the partitions that are here `which` are wanted.
    fn committed(&self, which: impl Fn(&OpenStore) -> bool) -> Result<Views, Error> {
        self.waited_for(|| self.committed_here(&which))
    }

    /// What `look` finds. `None`: it is there only after a commit, which is asked for.
    fn waited_for<R>(&self, look: impl Fn() -> Result<Option<R>, Error>) -> Result<R, Error> {
        let stores = &self.queries.instance.stores;
        if let Some(found) = look()? {
            return Ok(found);
        }
        stores.ask_for_commit();
        // Whoever takes the turns by hand would wait for themselves.
        let patience = if self.may_wait() { PATIENCE } else { Duration::ZERO };
        let mut found = Ok(None);
        stores.gate().wait_until(Some(patience), || {
            found = look();
            !matches!(found, Ok(None))
        });
        found?.ok_or_else(|| self.unavailable("its first view is there after the next commit: ask again"))
    }

    /// Whether this thread is none of those that are waited for.
    fn may_wait(&self) -> bool {
        !(host::is_own_thread() || self.queries.instance.is_driven && host::takes_turns())
    }

    /// The partitions that are here and may be read.
    fn here(&self) -> Result<Vec<(Partition, OpenStore)>, Error> {
        let stale = self.queries.stale;
        let mut here = self.queries.instance.stores.of(&self.name, self.queries.partition);
        here.retain(|(partition, open)| !self.is_gone(*partition, open) && (stale || open.role != TaskRole::Standby));
        match here.iter().find(|(_, open)| !stale && !open.is_active()) {
            Some((partition, open)) => Err(self.unavailable(&format!("partition {partition} is {}", open.phase))),
            None => Ok(here),
        }
    }

    fn committed_here(&self, which: impl Fn(&OpenStore) -> bool) -> Result<Option<Views>, Error> {
        let mut views = Some(Views::new());
        for (partition, open) in self.here()?.into_iter().filter(|(_, open)| which(open)) {
            // First: the view may be of a later commit, and never of an earlier one.
            let position = self.queries.instance.stores.position(open.task);
            match open.views.as_ref().ok_or_else(|| self.without_views())?.committed() {
                Ok(Some(view)) => {
                    if let Some(views) = &mut views {
                        views.insert(partition, Seen { view, position });
                    }
                }
                // The others are to hear of it too.
                Ok(None) => views = None,
                Err(StoreError::Closed { .. }) => drop(self.is_gone(partition, &open)),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(views)
    }

    /// What a global store holds was committed in its topic: there is nothing else to see.
    fn global_view(&self) -> Result<Option<Vec<Arc<View>>>, Error> {
        let globals = &self.queries.instance.globals;
        if !globals.is_filled() {
            return Err(self.unavailable("it is not filled yet"));
        }
        let place = globals.places().get(&self.id).ok_or_else(|| self.unavailable("it is not open"))?;
        let views = place.read(|store| Ok(store.state().views()))?;
        let views = views.ok_or_else(|| self.without_views())?;
        if let Some(view) = views.committed()? {
            return Ok(Some(vec![view]));
        }
        // Nothing has to be waited for.
        place.write(|store| store.state_mut().commit(None))?;
        let view = views.committed()?;
        Ok(view.map(|view| vec![view]))
    }
}
