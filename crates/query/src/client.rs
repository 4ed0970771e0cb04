//! The client: finds who has what is asked for, follows it, and gathers from all.

mod layouts;
mod pages;
mod pursuit;
mod stores;
mod transport;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use headwater_record::DefaultSerde;
use headwater_runtime::Error;
use headwater_runtime::assignment::HostPort;

use self::layouts::Layouts;
pub use self::pages::Entries;
pub use self::pursuit::Answer;
pub use self::stores::{RemoteKeyValueStore, RemoteSessionStore, RemoteStore, RemoteVersionedStore, RemoteWindowStore};
pub(crate) use self::transport::{Reply, Transport};
use crate::KeyText;

/// How the client asks.
#[derive(Clone, Debug)]
struct Options {
    deadline: Duration,
    attempt: Duration,
    max_staleness: Option<u64>,
    hedge_after: Option<Duration>,
    page: Option<usize>,
}

struct Shared {
    options: Options,
    transport: Transport,
    layouts: Layouts,
}

/// Asks the stores of an application over the network, wherever they are just now; its instances run a [`QueryServer`](crate::QueryServer).
///
/// It learns from any of its seeds who has which partition, asks that one, and learns anew when another has it by then. While nobody can
/// answer it asks again, until its deadline: over a rebalance a question takes longer, and does not fail. It may be cloned; all clones
/// share their connections and what they know. It needs a runtime of `tokio`.
///
/// **Only hosts that the group's metadata names are called**, and the seeds. It follows no redirects.
///
/// What it reads was committed, by the instance whose task processes the partition; with [`ClientBuilder::max_staleness`] a standby may answer
/// instead. Each answer says who did: [`Answer`].
///
/// ```no_run
/// use headwater::query::Client;
/// use futures_util::TryStreamExt;
///
/// # async fn ask() -> Result<(), headwater::Error> {
/// let client = Client::builder().seed("10.0.0.7:7070")?.seed("10.0.0.8:7070")?.bearer_token("sesame").build()?;
/// let totals = client.key_value::<String, i64>("totals");
/// let of_alice: Option<i64> = totals.get(&"alice".to_owned()).await?;
/// let all: Vec<(String, i64)> = totals.all().try_collect().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client(Arc<Shared>);

impl Client {
    /// Begins a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            seeds: BTreeSet::new(),
            token: None,
            options: Options {
                deadline: Duration::from_secs(10),
                attempt: Duration::from_secs(2),
                max_staleness: None,
                hedge_after: None,
                page: None,
            },
        }
    }

    /// The key-value store `name`. Keys are written as their type writes itself, and lie in partitions by the bytes of its serde.
    pub fn key_value<K, V>(&self, name: impl Into<String>) -> RemoteKeyValueStore<K, V>
    where
        K: DefaultSerde + std::str::FromStr<Err: fmt::Display> + fmt::Display,
    {
        self.store(name).key_value()
    }

    /// The window store `name`; see [`Client::key_value`].
    pub fn window<K, V>(&self, name: impl Into<String>) -> RemoteWindowStore<K, V>
    where
        K: DefaultSerde + std::str::FromStr<Err: fmt::Display> + fmt::Display,
    {
        self.store(name).window()
    }

    /// The session store `name`; see [`Client::key_value`].
    pub fn session<K, V>(&self, name: impl Into<String>) -> RemoteSessionStore<K, V>
    where
        K: DefaultSerde + std::str::FromStr<Err: fmt::Display> + fmt::Display,
    {
        self.store(name).session()
    }

    /// The versioned store `name`; see [`Client::key_value`].
    pub fn versioned<K, V>(&self, name: impl Into<String>) -> RemoteVersionedStore<K, V>
    where
        K: DefaultSerde + std::str::FromStr<Err: fmt::Display> + fmt::Display,
    {
        self.store(name).versioned()
    }

    fn store<K, V>(&self, name: impl Into<String>) -> RemoteStore<K, V>
    where
        K: DefaultSerde + std::str::FromStr<Err: fmt::Display> + fmt::Display,
    {
        RemoteStore::new(self.clone(), name.into(), K::default_serde(), KeyText::plain())
    }

    /// The store `name`, whose keys are written as `text` says and lie in partitions by the bytes of `serde`; its methods say of which kind it is.
    pub fn store_with<K, V>(
        &self,
        name: impl Into<String>,
        serde: headwater_record::SharedSerde<K>,
        text: KeyText<K>,
    ) -> RemoteStore<K, V> {
        RemoteStore::new(self.clone(), name.into(), serde, text)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("options", &self.0.options).finish_non_exhaustive()
    }
}

/// Makes a [`Client`].
#[must_use]
pub struct ClientBuilder {
    seeds: BTreeSet<HostPort>,
    token: Option<String>,
    options: Options,
}

impl ClientBuilder {
    /// An instance to begin with, `host:port`. Any of them will do, and of several one that answers.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](headwater_runtime::ErrorKind::Config) for what is no host and port.
    pub fn seed(mut self, seed: &str) -> Result<Self, Error> {
        let seed = seed.parse().map_err(|error| Error::config(format!("the seed {seed:?}: {error}")))?;
        self.seeds.insert(seed);
        Ok(self)
    }

    /// What the servers' [`bearer_token`](crate::Builder::bearer_token) is.
    pub fn bearer_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// How long a question may take with all its attempts, 10 s unless set; of a long answer each page. Longer than the session time-out of the group
    /// (45 s unless set), and an instance may die without a question failing.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.options.deadline = deadline;
        self
    }

    /// How long one attempt may take, 2 s unless set.
    pub fn attempt_time(mut self, attempt: Duration) -> Self {
        self.options.attempt = attempt;
        self
    }

    /// When the active task does not answer, a standby may that lacks at most so many offsets of the changelog, as Kafka told it last: within about a
    /// second, while Kafka answers it. Without it no standby is asked.
    pub fn max_staleness(mut self, offsets: u64) -> Self {
        self.options.max_staleness = Some(offsets);
        self
    }

    /// Asks a standby too when the active task has not answered after so long, and takes what comes first. Goes with
    /// [`ClientBuilder::max_staleness`].
    pub fn hedge_after(mut self, patience: Duration) -> Self {
        self.options.hedge_after = Some(patience);
        self
    }

    /// The most entries of a page, as many as the server gives unless set.
    pub fn page_entries(mut self, entries: usize) -> Self {
        self.options.page = Some(entries);
        self
    }

    /// The client.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](headwater_runtime::ErrorKind::Config) without a seed, for a token that no header can carry, and for hedging without
    /// staleness.
    pub fn build(self) -> Result<Client, Error> {
        if self.seeds.is_empty() {
            return Err(Error::config("the query client needs a seed: host and port of an instance"));
        }
        if self.options.hedge_after.is_some() && self.options.max_staleness.is_none() {
            return Err(Error::config("hedge_after asks standbys: say with max_staleness how much they may lack"));
        }
        let transport = Transport::new(self.token.as_deref(), self.options.attempt)?;
        let layouts = Layouts::new(self.seeds);
        Ok(Client(Arc::new(Shared { options: self.options, transport, layouts })))
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("seeds", &self.seeds).finish_non_exhaustive()
    }
}
