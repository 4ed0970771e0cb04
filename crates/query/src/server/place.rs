//! Where an answer is read: of the active task, or of a copy that lacks no more than was allowed.

use std::sync::{Arc, OnceLock};

use headwater_record::Partition;
use headwater_runtime::application::KeyQueryMetadata;
use headwater_runtime::query::{IsolationLevel, Position, PositionBound, Queries};
use serde::Deserialize;

use super::{Failure, Shared};
use crate::stores::Served;
use crate::wire::{Code, Owner, Role, Source};

/// A store that is asked.
pub(crate) struct Asked<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) name: &'a str,
    pub(crate) store: &'a dyn Served,
    pub(crate) freshness: Freshness,
}

/// How new an answer has to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Freshness {
    /// Copies may lack so many offsets; `None`: they are not asked.
    pub(crate) max_lag: Option<u64>,
    /// What is read has seen so much of its input.
    pub(crate) at_least: AtLeast,
}

/// What `at_least` says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct AtLeast(PositionBound);

impl TryFrom<String> for AtLeast {
    type Error = headwater_runtime::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Ok(AtLeast(PositionBound::at(text.parse()?)))
    }
}

impl<'a> Asked<'a> {
    pub(crate) fn of(shared: &'a Shared, name: &'a str, freshness: Freshness) -> Result<Self, Failure> {
        Ok(Asked { shared, name, store: shared.store(name)?, freshness })
    }

    /// Reads `partition` of the store, or all of a global one. Whose task processes here is asked whatever the group's metadata say: they may be of
    /// a rebalance that is not over.
    pub(crate) fn read<T>(
        &self,
        partition: Option<Partition>,
        read: impl Fn(&Queries) -> Result<T, Failure>,
    ) -> Result<(T, Source), Failure> {
        // Pages of an answer must not show what is taken back before the next, and nobody far away holds up a stream thread.
        let queries = self.shared.handle.queries().with_isolation(IsolationLevel::ReadCommitted);
        let Freshness { max_lag, at_least: AtLeast(bound) } = &self.freshness;
        let source = |role, lag, position| Source { partition, role, lag, position };
        let Some(number) = partition else {
            if !bound.is_unbounded() {
                let what = "nobody knows how much of its topic a global store has seen: ask without at_least";
                return Err(Failure::bad_request(what));
            }
            return Ok((read(&queries)?, source(Role::Global, None, Position::default())));
        };
        let told = Arc::new(OnceLock::new());
        let queries = queries.with_partition(number).with_position_bound(bound.clone()).with_position_told(&told);
        let unavailable = match read(&queries) {
            Ok(found) => {
                let position = told.get().cloned().unwrap_or_default();
                return Ok((found, source(Role::Active, None, position)));
            }
            Err(failure) if failure.is_unavailable() => failure,
            Err(failure) => return Err(failure),
        };
        let owner = self.store.owner_of_partition(&self.shared.handle.metadata(), number)?;
        if let Some(max_lag) = *max_lag {
            match self.lag(number) {
                Some(lag) if lag <= max_lag => match read(&queries.with_stale()) {
                    Ok(found) => return Ok((found, source(Role::Standby, Some(lag), Position::default()))),
                    Err(failure) if failure.is_unavailable() => {}
                    Err(failure) => return Err(failure),
                },
                Some(lag) => {
                    let what =
                        format!("the copy here lacks {lag} offsets, more than max_lag: ask again, or allow more");
                    return Err(Failure::new(Code::Unavailable, what));
                }
                None => {}
            }
        }
        let is_this = owner.active.as_ref() == Some(&self.shared.this_host);
        Err(if is_this || owner.active.is_none() { unavailable } else { Failure::not_here(owner_of(&owner)) })
    }

    fn lag(&self, partition: Partition) -> Option<u64> {
        let lags = self.shared.handle.local_store_lags();
        Some(lags.get(self.name)?.get(&partition)?.committed_lag())
    }

    /// The first partition from `least` on whose active task is here, as the group's metadata say.
    pub(crate) fn local_partition(&self, least: Partition) -> Result<Option<Partition>, Failure> {
        let metadata = self.shared.handle.metadata();
        for partition in least..self.store.partitions(&metadata)? {
            let owner = self.store.owner_of_partition(&metadata, partition)?;
            if owner.active.as_ref() == Some(&self.shared.this_host) {
                return Ok(Some(partition));
            }
        }
        Ok(None)
    }
}

impl Shared {
    pub(crate) fn store(&self, name: &str) -> Result<&dyn Served, Failure> {
        let unknown = || {
            let what = format!("no store {name} is answered from here: GET /v1/stores names those that are");
            Failure::new(Code::UnknownStore, what)
        };
        self.stores.get(name).map(AsRef::as_ref).ok_or_else(unknown)
    }
}

pub(crate) fn owner_of(found: &KeyQueryMetadata) -> Owner {
    Owner {
        partition: found.partition,
        active: found.active.as_ref().map(ToString::to_string),
        standbys: found.standbys.iter().map(ToString::to_string).collect(),
    }
}
