//! Exception handlers that are closures.

use std::fmt;

use headwater_record::OwnedRecord;
use headwater_topology::BoxError;
use headwater_topology::handler::{
    DeserializationExceptionHandler, ErrorContext, HandlerResponse, ProcessingExceptionHandler, ProductionErrorOrigin,
    ProductionExceptionHandler,
};

/// A closure as an exception handler, of the kind that its parameters say.
pub struct FromFn<F>(pub F);

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromFn(..)")
    }
}

impl<F> DeserializationExceptionHandler for FromFn<F>
where
    F: Fn(&ErrorContext<'_>, &OwnedRecord, &BoxError) -> HandlerResponse + Send + Sync,
{
    fn handle(&self, context: &ErrorContext<'_>, raw: &OwnedRecord, error: &BoxError) -> HandlerResponse {
        (self.0)(context, raw, error)
    }
}

impl<F> ProcessingExceptionHandler for FromFn<F>
where
    F: Fn(&ErrorContext<'_>, &BoxError) -> HandlerResponse + Send + Sync,
{
    fn handle(&self, context: &ErrorContext<'_>, error: &BoxError) -> HandlerResponse {
        (self.0)(context, error)
    }
}

impl<F> ProductionExceptionHandler for FromFn<F>
where
    F: Fn(&ErrorContext<'_>, &str, &OwnedRecord, ProductionErrorOrigin, &BoxError) -> HandlerResponse + Send + Sync,
{
    fn handle(
        &self,
        context: &ErrorContext<'_>,
        topic: &str,
        record: &OwnedRecord,
        origin: ProductionErrorOrigin,
        error: &BoxError,
    ) -> HandlerResponse {
        (self.0)(context, topic, record, origin, error)
    }
}
