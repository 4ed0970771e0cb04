//! The server: which stores it answers from, who may ask, and how much.

mod draw;
mod failure;
mod guard;
mod limits;
mod listener;
mod openapi;
mod page;
mod place;
mod routes;
mod sight;
mod status;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::http::request::Parts;
use headwater_runtime::application::Handle;
use headwater_runtime::assignment::HostPort;
use headwater_runtime::{Error, KafkaStreams};
use headwater_store::StoreKind;
use headwater_topology::state::StoreHandle;
use serde::Serialize;

pub(crate) use self::failure::Failure;
use self::guard::Guard;
pub use self::limits::Limits;
pub use self::listener::Serving;
use crate::KeyText;
use crate::client::Transport;
use crate::stores::{KeyValue, Kind, Of, Served, Session, Typed, Versioned, Window};

/// What all requests share.
pub(crate) struct Shared {
    handle: Handle,
    this_host: HostPort,
    stores: BTreeMap<String, Arc<dyn Served>>,
    limits: Limits,
    guard: Guard,
    /// How the other instances are asked.
    peers: Transport,
}

/// Answers questions about the stores of an instance over HTTP, with JSON: reads of keys, ranges, windows, sessions and versions, who has which
/// key, and how the instance is. `docs/query-server.md` lists what can be asked, and `GET /v1/openapi.json` describes it.
///
/// It answers only from stores that it was told of, and only what its instance has; [`Client`](crate::Client) finds the right one.
/// A service mounts [`QueryServer::router`] into its own, or has [`QueryServer::serve`] listen at the port of `application.server`, which must be
/// set: without it nobody knows who has what. There it listens to this machine only, unless [`Builder::bind`] says otherwise.
///
/// Whoever reaches it may ask, unless [`Builder::bearer_token`] or [`Builder::authorize`] are given.
///
/// ```
/// use std::sync::Arc;
///
/// use headwater::memory::Cluster;
/// use headwater::prelude::*;
/// use headwater::query::QueryServer;
/// use headwater::runtime::SystemClock;
///
/// let builder = StreamsBuilder::new();
/// let visits = StoreHandle::<String, i64>::named("visits");
/// builder.stream::<String, String>("clicks").group_by_key().count_with(Materialized::named("visits").in_memory());
///
/// let cluster = Cluster::new(Arc::new(SystemClock));
/// cluster.create_topic("clicks", 1)?;
/// let streams = KafkaStreams::builder(builder.build()?)
///     .application_id("visits")
///     .set("application.server", "localhost:7070")
///     .on(&cluster)
///     .start()?;
/// let server = QueryServer::builder(&streams).key_value(&visits).bearer_token("sesame").build()?;
/// let router: axum::Router = axum::Router::new().nest("/state", server.router());
/// # streams.close(CloseOptions::default())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct QueryServer {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl QueryServer {
    /// Begins a server of the stores of `streams`.
    pub fn builder<D>(streams: &KafkaStreams<D>) -> Builder {
        Builder {
            handle: streams.handle(),
            stores: BTreeMap::new(),
            error: None,
            limits: Limits::default(),
            guards: Vec::new(),
            address: None,
        }
    }

    /// The routes, all below `/v1`, to be merged into a service's own or nested below a path of it. Authorization and limits are in it.
    pub fn router(&self) -> Router {
        routes::router(&self.shared)
    }

    /// The page at `/`, which shows the whole group, and what it is made of, below `/page`; to be merged into a service's own routes where
    /// [`QueryServer::router`] is, not nested. Anybody may have it: it holds nothing, and asks for what it shows as others do, with the token
    /// that is typed into it.
    pub fn page(&self) -> Router {
        page::router()
    }

    /// Where [`QueryServer::serve`] listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens, with the page, on the runtime of `tokio` that it is called in, until the [`Serving`] is stopped or dropped.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](headwater_runtime::ErrorKind::Config) when it cannot listen there, as when another program does.
    pub async fn serve(&self) -> Result<Serving, Error> {
        self.serve_with(self.router().merge(self.page()).fallback(routes::unknown_path)).await
    }

    /// The same with a router of the service's own, into which it has merged [`QueryServer::router`] or not. Of the limits those of connections hold
    /// for all of it.
    ///
    /// # Errors
    /// As [`QueryServer::serve`].
    pub async fn serve_with(&self, router: Router) -> Result<Serving, Error> {
        listener::listen(self.address, router, self.shared.limits.clone()).await
    }
}

impl fmt::Debug for QueryServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stores: Vec<_> = self.shared.stores.keys().collect();
        f.debug_struct("QueryServer").field("address", &self.address).field("stores", &stores).finish_non_exhaustive()
    }
}

/// Makes a [`QueryServer`].
#[must_use]
pub struct Builder {
    handle: Handle,
    stores: BTreeMap<String, Arc<dyn Served>>,
    /// The first mistake.
    error: Option<Error>,
    limits: Limits,
    guards: Vec<guard::Authorize>,
    address: Option<SocketAddr>,
}

impl Builder {
    /// Answers from this key-value store; its keys are written as their type writes itself.
    pub fn key_value<K, V>(self, store: &StoreHandle<K, V>) -> Self
    where
        K: std::str::FromStr<Err: fmt::Display> + fmt::Display + 'static,
        V: Serialize + 'static,
    {
        self.key_value_with(store, KeyText::plain())
    }

    /// The same, with keys written as `text` says.
    pub fn key_value_with<K: 'static, V: Serialize + 'static>(
        self,
        store: &StoreHandle<K, V>,
        text: KeyText<K>,
    ) -> Self {
        let error = self.handle.queries().key_value_store(store).err();
        self.with::<K, V, KeyValue>(store, text, error)
    }

    /// Answers from this window store; its keys are written as their type writes itself.
    pub fn window<K, V>(self, store: &StoreHandle<K, V>) -> Self
    where
        K: std::str::FromStr<Err: fmt::Display> + fmt::Display + 'static,
        V: Serialize + 'static,
    {
        self.window_with(store, KeyText::plain())
    }

    /// The same, with keys written as `text` says.
    pub fn window_with<K: 'static, V: Serialize + 'static>(self, store: &StoreHandle<K, V>, text: KeyText<K>) -> Self {
        let error = self.handle.queries().window_store(store).err();
        self.with::<K, V, Window>(store, text, error)
    }

    /// Answers from this session store; its keys are written as their type writes itself.
    pub fn session<K, V>(self, store: &StoreHandle<K, V>) -> Self
    where
        K: std::str::FromStr<Err: fmt::Display> + fmt::Display + 'static,
        V: Serialize + 'static,
    {
        self.session_with(store, KeyText::plain())
    }

    /// The same, with keys written as `text` says.
    pub fn session_with<K: 'static, V: Serialize + 'static>(self, store: &StoreHandle<K, V>, text: KeyText<K>) -> Self {
        let error = self.handle.queries().session_store(store).err();
        self.with::<K, V, Session>(store, text, error)
    }

    /// Answers from this versioned store; its keys are written as their type writes itself.
    pub fn versioned<K, V>(self, store: &StoreHandle<K, V>) -> Self
    where
        K: std::str::FromStr<Err: fmt::Display> + fmt::Display + 'static,
        V: Serialize + 'static,
    {
        self.versioned_with(store, KeyText::plain())
    }

    /// The same, with keys written as `text` says.
    pub fn versioned_with<K: 'static, V: Serialize + 'static>(
        self,
        store: &StoreHandle<K, V>,
        text: KeyText<K>,
    ) -> Self {
        let error = self.handle.queries().versioned_store(store).err();
        self.with::<K, V, Versioned>(store, text, error)
    }

    fn with<K, V, T>(mut self, store: &StoreHandle<K, V>, text: KeyText<K>, error: Option<Error>) -> Self
    where
        K: 'static,
        V: Serialize + 'static,
        T: Kind<K, V>,
    {
        let (name, topology) = (store.name(), self.handle.topology());
        let id = topology.store_named(name);
        let topic = id.map(|id| topology.serde_topic(id)).unwrap_or_default();
        let kind = id.and_then(|id| topology.store(id)).map(|store| store.spec.kind);
        let keeps_all = matches!(kind, Some(StoreKind::Window { retain_duplicates: true, .. }));
        let of_a_join = || Error::config(format!("store {name} holds what waits for a join: it cannot be asked"));
        let twice = || Error::config(format!("the query server was told of store {name} twice"));
        let error = error.or_else(|| keeps_all.then(of_a_join));
        let error = error.or_else(|| self.stores.contains_key(name).then(twice));
        self.error = self.error.or(error);
        let served = Of::<K, V, T>::new(Typed { handle: store.clone(), text, topic });
        self.stores.insert(name.to_owned(), Arc::new(served));
        self
    }

    /// Every request, but for the page itself, must bring `Authorization: Bearer <token>`. It is compared in constant time. Connections are not encrypted: see that
    /// only your own machines can listen.
    pub fn bearer_token(mut self, token: impl Into<String>) -> Self {
        self.guards.push(guard::bearer(token.into()));
        self
    }

    /// Asks `may` about each request, by its method, path and headers. All that is asked must agree. Whoever needs to wait for the answer puts a
    /// layer of their own around [`QueryServer::router`].
    pub fn authorize(mut self, may: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.guards.push(Box::new(may));
        self
    }

    /// How much is answered at once; [`Limits::default`] otherwise.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where [`QueryServer::serve`] listens, instead of on the loopback address at the port of `application.server`. `0.0.0.0` is every
    /// IPv4 address of this machine.
    pub fn bind(mut self, address: SocketAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// The server.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](headwater_runtime::ErrorKind::Config) for a store that the topology does not have, or that is of another kind, or
    /// is named twice; and when `application.server` is not set.
    pub fn build(self) -> Result<QueryServer, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let unset =
            || Error::config("the query server needs application.server: the host and port at which others find it");
        let this_host = self.handle.config().application_server().ok_or_else(unset)?;
        let port = u16::try_from(this_host.port).unwrap_or_default();
        let address = self.address.unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
        let (guard, peers) = (Guard::new(self.guards, &self.limits), Transport::of_peers());
        let shared = Shared { handle: self.handle, this_host, stores: self.stores, limits: self.limits, guard, peers };
        Ok(QueryServer { shared: Arc::new(shared), address })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stores: Vec<_> = self.stores.keys().collect();
        f.debug_struct("Builder").field("stores", &stores).field("limits", &self.limits).finish_non_exhaustive()
    }
}
