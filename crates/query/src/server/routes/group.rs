//! The group as a whole: what this instance hears of the others, for as long as somebody looks, and what it asks them for others.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use headwater_runtime::assignment::HostPort;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::{Failure, Parameters, Segments, Server, Shared, sight};
use crate::client::Reply;
use crate::wire::{Code, Group, Member, Snapshot};

/// An instance is asked again after so long.
const EVERY: Duration = Duration::from_secs(1);
/// So many instances are asked at once.
const AT_ONCE: usize = 16;
/// What one instance asks another for somebody who looks: what is answered from there, and nothing that asks further.
const ASKED_OF_OTHERS: [&str; 6] =
    ["/v1/explain/", "/v1/health", "/v1/settings", "/v1/snapshot", "/v1/stores", "/v1/threads"];

/// Somebody who looks.
struct Looker {
    shared: Arc<Shared>,
    /// With what it came; the others want the same.
    authorization: Option<HeaderValue>,
    next: Instant,
    _place: OwnedSemaphorePermit,
}

/// The group, again and again. Nothing is asked when the one before was not taken yet, and nothing when nobody looks any more.
pub(super) async fn events(State(shared): Server, headers: HeaderMap) -> Result<impl IntoResponse, Failure> {
    let full = |_| Failure::new(Code::Overloaded, "as many look already as may: come again later");
    let place = Arc::clone(&shared.guard.lookers).try_acquire_owned().map_err(full)?;
    let authorization = headers.get(header::AUTHORIZATION).cloned();
    let looker = Looker { shared, authorization, next: Instant::now(), _place: place };
    Ok(([(header::CACHE_CONTROL, "no-store"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")], Sse::new(looker.looks())))
}

impl Looker {
    fn looks(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut looker| async move {
            tokio::time::sleep_until(looker.next).await;
            looker.next = Instant::now() + EVERY;
            let group = looker.group().await;
            let text = serde_json::to_string(&group).inspect_err(|error| tracing::error!(%error, "no JSON of a group"));
            Some((Ok(Event::default().event("group").data(text.ok()?)), looker))
        })
    }

    async fn group(&self) -> Group {
        let (this, own) = (&self.shared.this_host, sight::snapshot(&self.shared.handle));
        let at = own.at;
        let others = self.shared.hosts().into_iter().filter(|host| host != this).map(|host| async move {
            let (snapshot, problem) = match self.ask(&host).await {
                Ok(snapshot) => (Some(snapshot), None),
                Err(why) => (None, Some(why)),
            };
            Member { host: host.to_string(), snapshot, problem }
        });
        let mut members: Vec<Member> = stream::iter(others).buffered(AT_ONCE).collect().await;
        members.push(Member { host: this.to_string(), snapshot: Some(own), problem: None });
        members.sort_by(|one, other| one.host.cmp(&other.host));
        Group { at, seen_by: this.to_string(), members }
    }

    async fn ask(&self, host: &HostPort) -> Result<Snapshot, String> {
        let asked = self.shared.peers.get_as(host, "/v1/snapshot", self.authorization.as_ref());
        match asked.await {
            Reply::Answer(snapshot) => Ok(snapshot),
            Reply::Elsewhere(_, why) | Reply::NotNow(why) => Err(why),
            Reply::Refused(error) => Err(error.to_string()),
            Reply::Nothing(_) => Err(format!("{host} has no answer")),
        }
    }
}

impl Shared {
    /// This instance, and those that the group's metadata name: nobody else is called.
    fn hosts(&self) -> BTreeSet<HostPort> {
        let hosts = self.handle.metadata().all_clients().into_iter().map(|client| client.host);
        hosts.chain([self.this_host.clone()]).collect()
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerAsked {
    to: String,
}

/// What another instance answers to a path of this server's: a browser may ask only the instance that its page came from.
pub(super) async fn answer(
    State(shared): Server,
    path: Segments<String>,
    asked: Parameters<AnswerAsked>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (Path(host), Query(AnswerAsked { to })) = (path?, asked?);
    let unknown = || {
        let what = format!("the group's metadata name no instance {host}: GET /v1/hosts tells which there are");
        Failure::new(Code::UnknownHost, what)
    };
    let host = HostPort::from_str(&host).ok().filter(|host| shared.hosts().contains(host)).ok_or_else(unknown)?;
    let is_for_others = ASKED_OF_OTHERS.iter().any(|path| to.starts_with(path));
    if !is_for_others || to.split(['/', '?']).any(|part| part == "..") {
        return Err(Failure::bad_request(format!(
            "`to` is a path and query that is answered from an instance itself: one of {}",
            ASKED_OF_OTHERS.join(", ")
        )));
    }
    let authorization = headers.get(header::AUTHORIZATION);
    let (status, body) =
        shared.peers.exchange(&host, &to, authorization).await.map_err(|why| Failure::new(Code::Unavailable, why))?;
    let status = StatusCode::from_u16(status.as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let head = [(header::CONTENT_TYPE, "application/json"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    Ok((status, head, body).into_response())
}
