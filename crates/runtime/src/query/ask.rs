//! Asking a store partition by partition (Java's `IQv2`, KIP-796).

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use headwater_record::Partition;

use super::typed::Typed;
use super::{FailureReason, Position, Queries, Query, QueryResult, StateQueryRequest, StateQueryResult};
use crate::instance::{TaskPhase, TaskRole};
use crate::{Error, ErrorKind};

impl Queries {
    /// Asks the partitions that are here, or those that `request` names: each answers for itself, or says why not (Java's
    /// `KafkaStreams#query`). Standbys and stores that are being restored answer too, unless the request requires active ones.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// # use headwater::runtime::Error;
    /// use headwater::runtime::query::{KeyQuery, StateQueryRequest};
    ///
    /// fn visits_of(streams: &KafkaStreams, page: &str) -> Result<Option<i64>, Box<dyn std::error::Error>> {
    ///     let visits = StoreHandle::<String, i64>::named("visits");
    ///     let request = StateQueryRequest::in_store(&visits).with_query(KeyQuery::with_key(page.to_owned())).require_active();
    ///     Ok(streams.queries().query(&request)?.only_partition_result()?)
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a store that the topology does not have.
    pub fn query<K: 'static, V: 'static, Q: Query<K, V>>(
        &self,
        request: &StateQueryRequest<K, V, Q>,
    ) -> Result<StateQueryResult<Q::Result>, Error> {
        let queries = self.clone().with_stale();
        let queries = request.isolation.into_iter().fold(queries, Queries::with_isolation);
        let store = queries.typed(&request.store, None)?;
        let mut results = StateQueryResult { partition_results: [].into(), global_result: None };
        if store.global {
            results.global_result = Some(store.answer(None, request));
            return Ok(results);
        }
        let here = || self.instance.stores.of(&store.name, self.partition).into_iter().map(|(partition, _)| partition);
        for partition in request.partitions.clone().unwrap_or_else(|| here().collect::<BTreeSet<_>>()) {
            let store = Typed { queries: queries.clone().with_partition(partition), ..store.clone() };
            results.partition_results.insert(partition, store.of_partition(partition, request));
        }
        Ok(results)
    }
}

impl<K: 'static, V: 'static> Typed<K, V> {
    fn of_partition<Q: Query<K, V>>(
        &self,
        partition: Partition,
        request: &StateQueryRequest<K, V, Q>,
    ) -> QueryResult<Q::Result> {
        let instance = &self.queries.instance;
        if partition < 0 {
            let message = format!("store {} has no partition {partition}", self.name);
            return QueryResult::failed(FailureReason::DoesNotExist, message);
        }
        let open = instance.stores.of(&self.name, Some(partition)).into_iter().next();
        let open = open.filter(|(_, open)| open.views.as_ref().is_none_or(|views| !views.is_closed()));
        let Some((_, open)) = open.filter(|(_, open)| open.phase != TaskPhase::Created) else {
            let message = "The requested partition was not present at the time of the query.";
            return QueryResult::failed(FailureReason::NotPresent, message);
        };
        if request.require_active && !open.is_active() {
            let message = format!(
                "Query requires a running active task, but partition was in state {} and was {}.",
                open.phase,
                if open.role == TaskRole::Active { "active" } else { "not active" }
            );
            return QueryResult::failed(FailureReason::NotActive, message);
        }
        let mut result = self.answer(Some(partition), request);
        if request.execution_info {
            result.execution_info.push(format!("task {} is {:?} and {}", open.task, open.role, open.phase));
        }
        result
    }

    fn answer<Q: Query<K, V>>(
        &self,
        partition: Option<Partition>,
        request: &StateQueryRequest<K, V, Q>,
    ) -> QueryResult<Q::Result> {
        let told = Arc::new(OnceLock::new());
        let store = Typed { told: Some(Arc::clone(&told)), ..self.clone() };
        let clock = &self.queries.instance.environment.clock;
        let began = clock.now();
        let Some(answer) = request.query.ask(&Queried(store)) else {
            let message = format!(
                "store {} ({:?}) doesn't know how to execute the given query ({})",
                self.name,
                self.kind,
                std::any::type_name::<Q>()
            );
            return QueryResult::failed(FailureReason::UnknownQueryType, message);
        };
        let position = told.get().cloned().unwrap_or_default();
        let mut result = match answer {
            Ok(_) if !request.bound.admits(partition.unwrap_or_default(), &position) => QueryResult::failed(
                FailureReason::NotUpToBound,
                format!(
                    "For store partition {}, the current position {position} is not yet up to the bound {}",
                    partition.unwrap_or_default(),
                    request.bound.position()
                ),
            ),
            Ok(found) => QueryResult { result: Ok(found), position: Position::default(), execution_info: Vec::new() },
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                QueryResult::failed(FailureReason::NotPresent, error.to_string())
            }
            Err(error) => QueryResult::failed(FailureReason::StoreException, error.to_string()),
        };
        result.position = position;
        if request.execution_info {
            let took = clock.now().since(began);
            let level = self.queries.isolation;
            result.execution_info.push(format!(
                "{} read {level:?} in {} ms",
                std::any::type_name::<Q>(),
                took.as_millis()
            ));
        }
        result
    }
}

/// A store that a [`Query`] is asked of.
#[derive(Debug)]
pub struct Queried<K: 'static, V: 'static>(pub(super) Typed<K, V>);
