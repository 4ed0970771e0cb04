//! What each request must pass: there is room for it, it may be asked, and it has no body.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::{Failure, Limits, Shared};
use crate::wire::Code;

/// Whether a request may be asked.
pub(crate) type Authorize = Box<dyn Fn(&Parts) -> bool + Send + Sync>;

/// Keeps to the limits.
pub(crate) struct Guard {
    authorize: Vec<Authorize>,
    requests: Semaphore,
    reads: Arc<Semaphore>,
    pub(crate) lookers: Arc<Semaphore>,
    time: Duration,
}

impl Guard {
    pub(crate) fn new(authorize: Vec<Authorize>, limits: &Limits) -> Self {
        Guard {
            authorize,
            requests: Semaphore::new(limits.requests),
            reads: Arc::new(Semaphore::new(limits.reads)),
            lookers: Arc::new(Semaphore::new(limits.lookers)),
            time: limits.request_time,
        }
    }

    /// Runs `read` on a thread that may wait, as soon as there is one. It goes on when nobody waits for it any more, and keeps its place for as long.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let closed = |_| Failure::new(Code::Internal, "the server ends");
        let place = Arc::clone(&self.reads).acquire_owned().await.map_err(closed)?;
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            read()
        });
        done.await.unwrap_or_else(|error| Err(Failure::new(Code::Internal, format!("reading failed: {error}"))))
    }
}

/// The layer around all routes.
pub(crate) async fn pass(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let guard = &shared.guard;
    let Ok(_place) = guard.requests.try_acquire() else {
        return Failure::new(Code::Overloaded, "there are too many requests at once: ask again").into_response();
    };
    let (parts, body) = request.into_parts();
    if !guard.authorize.iter().all(|may| may(&parts)) {
        let what = "this may not be asked: bring `Authorization: Bearer <token>`, as the service wants it";
        return Failure::new(Code::Unauthorized, what).into_response();
    }
    let has_length = parts.headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    if has_length || parts.headers.contains_key(header::TRANSFER_ENCODING) {
        return Failure::new(Code::BodyRefused, "questions have no body").into_response();
    }
    let answer = next.run(Request::from_parts(parts, body));
    let late = |_| Failure::new(Code::Timeout, "it took too long: ask for less, or again").into_response();
    tokio::time::timeout(guard.time, answer).await.unwrap_or_else(late)
}

/// Wants this token.
pub(crate) fn bearer(token: String) -> Authorize {
    Box::new(move |parts| {
        let brought = parts.headers.get(header::AUTHORIZATION).map_or(&[][..], |value| value.as_bytes());
        brought.split_at_checked("Bearer ".len()).is_some_and(|(scheme, brought)| {
            scheme.eq_ignore_ascii_case(b"Bearer ") && are_same(brought, token.as_bytes())
        })
    })
}

/// Takes as long wherever they differ: only the length of the secret can be told by it.
fn are_same(one: &[u8], other: &[u8]) -> bool {
    let difference = one.iter().zip(other).fold(0_u8, |all, (one, other)| black_box(all | (one ^ other)));
    one.len() == other.len() && difference == 0
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn only_the_token_itself_is_let_pass() {
        let may = bearer("sesame".to_owned());
        let ask = |header: Option<&str>| {
            let mut request = Request::builder();
            if let Some(value) = header {
                request = request.header("authorization", value);
            }
            may(&request.body(()).unwrap().into_parts().0)
        };
        assert!(ask(Some("Bearer sesame")) && ask(Some("bearer sesame")));
        let others =
            ["", "Bearer", "Bearer ", "Bearer sesam", "Bearer sesame ", "Bearer sesamf", "Basic sesame", "sesame"];
        for other in others.map(Some).into_iter().chain([None]) {
            assert!(!ask(other), "{other:?}");
        }
    }
}
