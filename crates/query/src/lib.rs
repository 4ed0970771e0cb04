//! Interactive queries over the network: a server that answers from the stores of its instance, and a client that asks the right one.
//!
//! In reading order: [`QueryServer`] (a router for a service's own, or a listener), [`KeyText`] (keys in paths), [`Limits`], [`Client`]
//! (finds who has a key, follows it, gathers from all), [`wire`] (the JSON between them, which `openapi.json` describes).
//!
//! **Architecture Invariant:** a store is read on a blocking thread, of which there is a bounded number; whatever comes over the network takes no
//! more memory and time than [`Limits`] say. The client calls nobody but its seeds and those whom the group's metadata names.
#![forbid(unsafe_code)]

mod client;
mod key;
mod server;
mod stores;
mod token;
pub mod wire;

/// In the version that [`QueryServer::router`] is of.
pub use axum;
pub use client::{
    Answer, Client, ClientBuilder, Entries, RemoteKeyValueStore, RemoteSessionStore, RemoteStore, RemoteVersionedStore,
    RemoteWindowStore,
};
pub use key::KeyText;
pub use server::{Builder, Limits, QueryServer, Serving};

/// The code of `docs/query-server.md` compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/query-server.md")]
struct QueryServerPage;
