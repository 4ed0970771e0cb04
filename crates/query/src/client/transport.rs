//! One request to one host, and what its answer means.

use std::time::Duration;

use bytes::Bytes;
use headwater_record::Partition;
use headwater_runtime::assignment::HostPort;
use headwater_runtime::{Error, ErrorKind};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::de::DeserializeOwned;

use crate::wire::{Code, Failure, Source};

/// No answer to a client is longer, in bytes: a server's pages are far shorter.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// None that an instance asks another for.
const MOST_BYTES_OF_PEERS: usize = 8 * 1024 * 1024;
/// How long an instance waits for another.
const TIME_OF_PEERS: Duration = Duration::from_millis(900);
/// Idle connections are given up before servers do so.
const IDLE: Duration = Duration::from_secs(10);

/// What came of a request.
#[derive(Debug)]
pub(crate) enum Reply<T> {
    Answer(T),
    /// The store has nothing there.
    Nothing(Source),
    /// Another has it, in this partition.
    Elsewhere(Option<Partition>, String),
    /// It may go better later, or elsewhere.
    NotNow(String),
    /// It will not go better.
    Refused(Error),
}

pub(crate) struct Transport {
    http: Http<HttpConnector, Empty<Bytes>>,
    authorization: Option<HeaderValue>,
    time: Duration,
    most_bytes: usize,
}

impl Transport {
    pub(super) fn new(token: Option<&str>, time: Duration) -> Result<Self, Error> {
        let unfit = |_| Error::config("the bearer token has characters that no header can carry");
        let header = token.map(|token| HeaderValue::from_str(&format!("Bearer {token}")).map_err(unfit)).transpose()?;
        let authorization = header.map(|mut header| {
            header.set_sensitive(true);
            header
        });
        Ok(Transport { http: connections(time), authorization, time, most_bytes: MOST_BYTES })
    }

    /// Between the instances of a group, whose requests each bring what they were asked with.
    pub(crate) fn of_peers() -> Self {
        let time = TIME_OF_PEERS;
        Transport { http: connections(time), authorization: None, time, most_bytes: MOST_BYTES_OF_PEERS }
    }

    /// Asks `host` for `path`.
    pub(super) async fn get<T: DeserializeOwned>(&self, host: &HostPort, path: &str) -> Reply<T> {
        self.get_as(host, path, self.authorization.as_ref()).await
    }

    /// The same with this authorization.
    pub(crate) async fn get_as<T: DeserializeOwned>(
        &self,
        host: &HostPort,
        path: &str,
        authorization: Option<&HeaderValue>,
    ) -> Reply<T> {
        match self.exchange(host, path, authorization).await {
            Ok((status, body)) => read(host, status, &body),
            Err(what) => Reply::NotNow(what),
        }
    }

    /// The status and body that `host` answers, whatever they are, or why there are none.
    pub(crate) async fn exchange(
        &self,
        host: &HostPort,
        path: &str,
        authorization: Option<&HeaderValue>,
    ) -> Result<(StatusCode, Bytes), String> {
        let late = |_| Err(format!("{host} did not answer within {} ms", self.time.as_millis()));
        tokio::time::timeout(self.time, self.ask(host, path, authorization)).await.unwrap_or_else(late)
    }

    async fn ask(
        &self,
        host: &HostPort,
        path: &str,
        authorization: Option<&HeaderValue>,
    ) -> Result<(StatusCode, Bytes), String> {
        let failed = |error: &dyn std::error::Error| {
            let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
            format!("{host} does not answer: {error}{cause}")
        };
        let uri = format!("http://{host}{path}").parse::<Uri>().map_err(|error| failed(&error))?;
        let mut request = Request::get(uri);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let request = request.body(Empty::new()).map_err(|error| failed(&error))?;
        let response = self.http.request(request).await.map_err(|error| failed(&error))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, self.most_bytes).collect().await.map_err(|error| failed(&*error))?;
        Ok((head.status, body.to_bytes()))
    }
}

fn connections(time: Duration) -> Http<HttpConnector, Empty<Bytes>> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(time));
    let mut builder = Http::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).build(connector)
}

fn read<T: DeserializeOwned>(host: &HostPort, status: StatusCode, body: &[u8]) -> Reply<T> {
    if status == StatusCode::OK {
        return match serde_json::from_slice(body) {
            Ok(answer) => Reply::Answer(answer),
            Err(error) => {
                let what = format!("the answer of {host} is not of the type that is asked for: {error}");
                Reply::Refused(Error::new(ErrorKind::Data, what).with_source(error))
            }
        };
    }
    let Ok(Failure { error }) = serde_json::from_slice::<Failure>(body) else {
        let what = format!("{host} answers {status}, not as a query server does: see that one listens there");
        // A proxy before it may say so for a while.
        return if status.is_server_error() { Reply::NotNow(what) } else { Reply::Refused(Error::config(what)) };
    };
    let message = format!("{host}: {}", error.message);
    match error.code {
        Code::UnknownKey => match error.source {
            Some(source) => Reply::Nothing(source),
            None => Reply::Refused(Error::new(ErrorKind::Data, message)),
        },
        Code::NotHere => Reply::Elsewhere(error.owner.and_then(|owner| owner.partition), message),
        Code::Unavailable | Code::Overloaded | Code::Timeout | Code::Internal => Reply::NotNow(message),
        Code::BadRequest | Code::MethodNotAllowed | Code::BodyRefused => {
            Reply::Refused(Error::new(ErrorKind::User, message))
        }
        Code::Unauthorized | Code::UnknownPath | Code::UnknownStore | Code::UnknownNode | Code::UnknownHost => {
            Reply::Refused(Error::config(message))
        }
        Code::Data => Reply::Refused(Error::new(ErrorKind::Data, message)),
    }
}
