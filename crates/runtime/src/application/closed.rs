//! Waiting for the end without a thread.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::Error;
use crate::instance::Instance;

/// Resolves when an application has ended: [`KafkaStreams::closed`](super::KafkaStreams::closed).
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Closed {
    instance: Arc<Instance>,
}

impl Closed {
    pub(super) fn of(instance: Arc<Instance>) -> Self {
        Closed { instance }
    }
}

impl Future for Closed {
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.instance.status.is_final_or_wake(context.waker()) {
            Poll::Ready(self.instance.status.outcome())
        } else {
            Poll::Pending
        }
    }
}
