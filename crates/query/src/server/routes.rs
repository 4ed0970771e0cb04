//! What can be asked, path by path. `openapi.json` says the same to others; a test compares the two.

mod group;
mod pages;

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::place::{Asked, AtLeast, Freshness, owner_of};
use super::{Failure, Shared, draw, guard, openapi, sight, status};
use crate::stores::Point;
use crate::wire::{self, Code, Found};

type Answer<T> = Result<Json<T>, Failure>;
type Server = State<Arc<Shared>>;
type Segments<T> = Result<Path<T>, PathRejection>;
type Parameters<T> = Result<Query<T>, QueryRejection>;

/// All routes, by their paths.
pub(crate) fn table() -> [(&'static str, MethodRouter<Arc<Shared>>); 24] {
    [
        ("/v1/stores", get(stores)),
        ("/v1/stores/{store}", get(layout)),
        ("/v1/stores/{store}/keys", get(pages::keys)),
        ("/v1/stores/{store}/keys/{key}", get(key)),
        ("/v1/stores/{store}/keys/{key}/owner", get(owner)),
        ("/v1/stores/{store}/keys/{key}/windows", get(pages::of_key)),
        ("/v1/stores/{store}/keys/{key}/windows/{start}", get(window)),
        ("/v1/stores/{store}/keys/{key}/sessions", get(pages::of_key)),
        ("/v1/stores/{store}/keys/{key}/sessions/{start}/{end}", get(session)),
        ("/v1/stores/{store}/keys/{key}/versions", get(pages::of_key)),
        ("/v1/stores/{store}/windows", get(pages::all)),
        ("/v1/stores/{store}/sessions", get(pages::all)),
        ("/v1/hosts", get(hosts)),
        ("/v1/hosts/{host}/answer", get(group::answer)),
        ("/v1/events", get(group::events)),
        ("/v1/snapshot", get(snapshot)),
        ("/v1/explain/{node}", get(explain)),
        ("/v1/graph", get(graph)),
        ("/v1/settings", get(settings)),
        ("/v1/health", get(health)),
        ("/v1/topology", get(topology)),
        ("/v1/threads", get(threads)),
        ("/v1/lags", get(lags)),
        ("/v1/openapi.json", get(document)),
    ]
}

pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    let add = |router: Router<Arc<Shared>>, (path, methods): (&str, MethodRouter<Arc<Shared>>)| {
        router.route(path, methods.fallback(method_not_allowed))
    };
    let router = table().into_iter().fold(Router::new(), add);
    router.route_layer(from_fn_with_state(Arc::clone(shared), guard::pass)).with_state(Arc::clone(shared))
}

pub(crate) async fn method_not_allowed() -> Failure {
    Failure::new(Code::MethodNotAllowed, "only GET is answered")
}

/// What is answered where there is nothing.
pub(crate) async fn unknown_path() -> Failure {
    Failure::new(Code::UnknownPath, "there is nothing at this path: GET /v1/openapi.json describes what there is")
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyAsked {
    as_of: Option<i64>,
    max_lag: Option<u64>,
    #[serde(default)]
    at_least: AtLeast,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PointAsked {
    max_lag: Option<u64>,
    #[serde(default)]
    at_least: AtLeast,
}

async fn key(State(shared): Server, path: Segments<(String, String)>, asked: Parameters<KeyAsked>) -> Answer<Value> {
    let (Path((store, key)), Query(asked)) = (path?, asked?);
    read(shared, store, key, asked.as_of.map_or(Point::Latest, Point::AsOf), freshness(asked.max_lag, asked.at_least))
        .await
}

async fn window(
    State(shared): Server,
    path: Segments<(String, String, i64)>,
    asked: Parameters<PointAsked>,
) -> Answer<Value> {
    let (Path((store, key, start)), Query(asked)) = (path?, asked?);
    read(shared, store, key, Point::Window { start }, freshness(asked.max_lag, asked.at_least)).await
}

async fn session(
    State(shared): Server,
    path: Segments<(String, String, i64, i64)>,
    asked: Parameters<PointAsked>,
) -> Answer<Value> {
    let (Path((store, key, start, end)), Query(asked)) = (path?, asked?);
    read(shared, store, key, Point::Session { start, end }, freshness(asked.max_lag, asked.at_least)).await
}

fn freshness(max_lag: Option<u64>, at_least: AtLeast) -> Freshness {
    Freshness { max_lag, at_least }
}

type Value = Found<Box<RawValue>>;

async fn read(shared: Arc<Shared>, store: String, key: String, point: Point, freshness: Freshness) -> Answer<Value> {
    let reading = Arc::clone(&shared);
    let read = move || {
        let asked = Asked::of(&reading, &store, freshness)?;
        let owner = asked.store.owner_of_key(&reading.handle.metadata(), &key)?;
        let (found, source) = asked.read(owner.partition, |queries| asked.store.get(queries, &key, point))?;
        let entry = found.ok_or_else(|| Failure::unknown_key(source.clone()))?;
        Ok(Json(Found { entry, source }))
    };
    shared.guard.read(read).await
}

async fn owner(State(shared): Server, path: Segments<(String, String)>) -> Answer<wire::Owner> {
    let Path((store, key)) = path?;
    let found = shared.store(&store)?.owner_of_key(&shared.handle.metadata(), &key)?;
    Ok(Json(owner_of(&found)))
}

async fn stores(State(shared): Server) -> Json<wire::Stores> {
    Json(status::stores(&shared))
}

async fn layout(State(shared): Server, path: Segments<String>) -> Answer<wire::Layout> {
    let Path(store) = path?;
    Ok(Json(status::layout(&shared, &store)?))
}

async fn hosts(State(shared): Server) -> Json<wire::Hosts> {
    Json(status::hosts(&shared.handle))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HealthAsked {
    /// Of what the status of the answer speaks.
    #[serde(rename = "for")]
    of: Option<Aspect>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Aspect {
    Live,
    Ready,
}

async fn health(State(shared): Server, asked: Parameters<HealthAsked>) -> Result<Response, Failure> {
    let Query(asked) = asked?;
    let health = status::health(&shared.handle);
    let is_well = if asked.of == Some(Aspect::Live) { health.live } else { health.ready };
    let status = if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((status, Json(health)).into_response())
}

async fn topology(State(shared): Server) -> String {
    shared.handle.topology().describe()
}

async fn graph(State(shared): Server) -> Json<wire::Graph> {
    Json(draw::graph(shared.handle.topology()))
}

async fn settings(State(shared): Server) -> Json<wire::Settings> {
    Json(sight::settings(shared.handle.config()))
}

async fn snapshot(State(shared): Server) -> Json<wire::Snapshot> {
    Json(sight::snapshot(&shared.handle))
}

async fn explain(State(shared): Server, path: Segments<String>) -> Answer<wire::Explanation> {
    let Path(node) = path?;
    let unknown = |error: headwater_runtime::Error| Failure::new(Code::UnknownNode, error.to_string());
    Ok(Json(sight::explanation(shared.handle.explain(&node).map_err(unknown)?)))
}

async fn threads(State(shared): Server) -> Json<wire::Threads> {
    Json(sight::threads(&shared.handle))
}

async fn lags(State(shared): Server) -> Json<wire::Lags> {
    Json(status::lags(&shared.handle))
}

async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], openapi::DOCUMENT)
}
