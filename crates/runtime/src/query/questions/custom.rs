//! Questions that only a store of one's own understands.

use std::any::Any;
use std::marker::PhantomData;
use std::ops::Bound;

use super::Query;
use super::sealed::Sealed;
use crate::Error;
use crate::instance::Part;
use crate::query::ask::Queried;

/// A question `Q` that a store of one's own answers with an `R`, in [`StateStore::query`](headwater_store::StateStore::query). Others do not
/// understand it.
#[derive(Clone, Debug)]
pub struct CustomQuery<Q, R> {
    query: Q,
    result: PhantomData<fn() -> R>,
}

impl<Q, R> CustomQuery<Q, R> {
    /// This one.
    pub fn new(query: Q) -> Self {
        CustomQuery { query, result: PhantomData }
    }
}

impl<Q, R> Sealed for CustomQuery<Q, R> {}

impl<K: 'static, V: 'static, Q: Any, R: Any> Query<K, V> for CustomQuery<Q, R> {
    type Result = R;

    fn ask(&self, store: &Queried<K, V>) -> Option<Result<R, Error>> {
        let views = match store.0.views(&Part::of((Bound::Unbounded, Bound::Unbounded))) {
            Ok(views) => views,
            Err(error) => return Some(Err(error)),
        };
        let view = views.into_iter().next()?;
        match view.read(|store| store.state().query(&self.query)) {
            Ok(answer) => Some(Ok(*answer?.downcast::<R>().ok()?)),
            Err(error) => Some(Err(error.into())),
        }
    }
}
