//! How values change aggregates: what `count`, `reduce` and `aggregate` are to the nodes that do them.

use std::sync::Arc;

use headwater_record::Record;
use headwater_topology::state::Stamped;
use headwater_topology::{BoxError, ProcessError};

use crate::serdes::Serdes;

/// Makes a first aggregate.
pub(crate) type Initial<A> = Arc<dyn Fn() -> A + Send + Sync>;
/// How a value changes an aggregate: key, value, and the aggregate so far, which may be taken out; the new one is returned.
pub(crate) type Fold<K, V, A> = Arc<dyn Fn(&K, &V, &mut Option<A>) -> Result<A, ProcessError> + Send + Sync>;

/// An aggregation.
pub(crate) struct Folding<K, V, A> {
    /// What an aggregate begins as; `None`: as the first value.
    pub(crate) initial: Option<Initial<A>>,
    pub(crate) fold: Fold<K, V, A>,
}

impl<K, V, A> Clone for Folding<K, V, A> {
    fn clone(&self) -> Self {
        Folding { initial: self.initial.clone(), fold: Arc::clone(&self.fold) }
    }
}

impl<K: 'static, V: 'static, A: 'static> Folding<K, V, A> {
    /// What an aggregate begins as; none where that is the `result`'s null, which no table has.
    pub(crate) fn first(&self, result: &Serdes<K, A>) -> Option<A> {
        let initial = self.initial.as_ref()?;
        Some(initial()).filter(|first| !result.value_is_null(first))
    }

    /// Changes the aggregate in `slot` by a record: the new one, none where it is the `result`'s null, with the later of both times.
    /// A failure leaves in the slot what the function left of the old one.
    #[inline]
    pub(crate) fn change(
        &self,
        result: &Serdes<K, A>,
        record: Record<'_, K, V>,
        slot: &mut Option<Stamped<A>>,
    ) -> Result<Stamped<Option<A>>, ProcessError> {
        let old_timestamp = slot.as_ref().map(|old| old.timestamp);
        let timestamp = old_timestamp.map_or(record.timestamp, |old| old.max(record.timestamp));
        let mut old = slot.take().map(|old| old.value);
        let folded = (self.fold)(record.key, record.value, &mut old);
        *slot = old.zip(old_timestamp).map(|(value, timestamp)| Stamped { value, timestamp });
        let folded = folded?;
        let value = (!result.value_is_null(&folded)).then_some(folded);
        Ok(Stamped { value, timestamp })
    }

    /// Counts, from `zero` on.
    pub(crate) fn count(
        zero: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&A, i64) -> A + Send + Sync + 'static,
    ) -> Self {
        let initial: Initial<A> = Arc::new(zero);
        let first = Arc::clone(&initial);
        let fold = move |_: &K, _: &V, count: &mut Option<A>| {
            Ok(match count {
                Some(count) => add(count, 1),
                None => add(&first(), 1),
            })
        };
        Folding { initial: Some(initial), fold: Arc::new(fold) }
    }

    /// Adds to what `initial` makes.
    pub(crate) fn aggregate(
        initial: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, A) -> A + Send + Sync + 'static,
    ) -> Self {
        let initial: Initial<A> = Arc::new(initial);
        let first = Arc::clone(&initial);
        let fold = move |key: &K, value: &V, so_far: &mut Option<A>| {
            Ok(add(key, value, so_far.take().unwrap_or_else(|| first())))
        };
        Folding { initial: Some(initial), fold: Arc::new(fold) }
    }

    /// Adds to what `initial` makes, with a function that may fail.
    pub(crate) fn try_aggregate<E: Into<BoxError>>(
        initial: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, &A) -> Result<A, E> + Send + Sync + 'static,
    ) -> Self {
        let initial: Initial<A> = Arc::new(initial);
        let first = Arc::clone(&initial);
        let fold = move |key: &K, value: &V, so_far: &mut Option<A>| match so_far {
            Some(so_far) => add(key, value, so_far).map_err(ProcessError::user),
            None => add(key, value, &first()).map_err(ProcessError::user),
        };
        Folding { initial: Some(initial), fold: Arc::new(fold) }
    }
}

#[expect(clippy::mismatching_type_param_order, reason = "values and aggregates are of one type here")]
impl<K: 'static, V: Clone + 'static> Folding<K, V, V> {
    /// Folds values into one.
    pub(crate) fn reduce(reduce: impl Fn(V, &V) -> V + Send + Sync + 'static) -> Self {
        let fold = move |_: &K, value: &V, so_far: &mut Option<V>| {
            Ok(match so_far.take() {
                Some(so_far) => reduce(so_far, value),
                None => value.clone(),
            })
        };
        Folding { initial: None, fold: Arc::new(fold) }
    }

    /// Folds values into one, with a function that may fail.
    pub(crate) fn try_reduce<E: Into<BoxError>>(
        reduce: impl Fn(&V, &V) -> Result<V, E> + Send + Sync + 'static,
    ) -> Self {
        let fold = move |_: &K, value: &V, so_far: &mut Option<V>| match so_far {
            Some(so_far) => reduce(so_far, value).map_err(ProcessError::user),
            None => Ok(value.clone()),
        };
        Folding { initial: None, fold: Arc::new(fold) }
    }
}
