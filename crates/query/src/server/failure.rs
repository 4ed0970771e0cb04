//! Why there is no answer: the status and body of each.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use headwater_runtime::{Error, ErrorKind};

use crate::wire::{self, Code, Owner, Reason, Source};

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(crate) struct Failure(Box<Reason>);

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Failure(Box::new(Reason { code, message: message.into(), owner: None, source: None }))
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Failure::new(Code::BadRequest, message)
    }

    pub(crate) fn foreign_token() -> Self {
        Failure::bad_request(
            "`after` is no page token of this question: give the `next` of the page before, and nothing else anew",
        )
    }

    pub(crate) fn data(message: impl Into<String>) -> Self {
        Failure::new(Code::Data, message)
    }

    pub(crate) fn not_here(owner: Owner) -> Self {
        let whom = match &owner.active {
            Some(active) => format!("ask {active}"),
            None => "nobody has it just now: ask again".to_owned(),
        };
        let mut failure = Failure::new(Code::NotHere, format!("another instance has it: {whom}"));
        failure.0.owner = Some(owner);
        failure
    }

    pub(crate) fn unknown_key(source: Source) -> Self {
        let mut failure = Failure::new(Code::UnknownKey, "the store has nothing under that");
        failure.0.source = Some(source);
        failure
    }

    pub(crate) fn is_unavailable(&self) -> bool {
        self.0.code == Code::Unavailable
    }

    fn status(&self) -> StatusCode {
        match self.0.code {
            Code::BadRequest => StatusCode::BAD_REQUEST,
            Code::Unauthorized => StatusCode::UNAUTHORIZED,
            Code::UnknownPath | Code::UnknownStore | Code::UnknownNode | Code::UnknownHost | Code::UnknownKey => {
                StatusCode::NOT_FOUND
            }
            Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Code::BodyRefused => StatusCode::PAYLOAD_TOO_LARGE,
            Code::NotHere => StatusCode::MISDIRECTED_REQUEST,
            Code::Data | Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Code::Unavailable | Code::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Code::Timeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, Json(wire::Failure { error: *self.0 })).into_response();
        let headers = response.headers_mut();
        match status {
            StatusCode::SERVICE_UNAVAILABLE => headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1")),
            StatusCode::UNAUTHORIZED => headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            StatusCode::METHOD_NOT_ALLOWED => headers.insert(header::ALLOW, HeaderValue::from_static("GET,HEAD")),
            _ => None,
        };
        response
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            ErrorKind::Unavailable => Code::Unavailable,
            ErrorKind::User => Code::BadRequest,
            ErrorKind::Data => Code::Data,
            _ => Code::Internal,
        };
        Failure::new(code, error.to_string())
    }
}

impl From<PathRejection> for Failure {
    fn from(rejection: PathRejection) -> Self {
        Failure::bad_request(format!("the path: {}", rejection.body_text()))
    }
}

impl From<QueryRejection> for Failure {
    fn from(rejection: QueryRejection) -> Self {
        Failure::bad_request(rejection.body_text())
    }
}
