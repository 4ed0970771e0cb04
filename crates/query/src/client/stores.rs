//! Typed stores, as they are somewhere in the group.

mod key_value;
mod session;
mod versioned;
mod window;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use headwater_record::{Encoded, SharedSerde, Timestamp};
use headwater_runtime::query::Position;
use headwater_runtime::{Error, ErrorKind};
use headwater_window::{Window, Windowed};
use serde::de::DeserializeOwned;

pub use self::key_value::RemoteKeyValueStore;
pub use self::session::RemoteSessionStore;
pub use self::versioned::RemoteVersionedStore;
pub use self::window::RemoteWindowStore;
use super::layouts::escape;
use super::pursuit::{Place, Question};
use super::{Answer, Client, Entries};
use crate::KeyText;
use crate::wire::{Entry, Found, position_text};

/// A store of an application, before it is said of which kind it is; [`Client::store_with`] gives it.
pub struct RemoteStore<K, V> {
    client: Client,
    name: Arc<str>,
    serde: SharedSerde<K>,
    text: KeyText<K>,
    at_least: Option<Arc<str>>,
    value: PhantomData<fn() -> V>,
}

impl<K, V> Clone for RemoteStore<K, V> {
    fn clone(&self) -> Self {
        let (client, name, serde) = (self.client.clone(), Arc::clone(&self.name), Arc::clone(&self.serde));
        RemoteStore { client, name, serde, text: self.text, at_least: self.at_least.clone(), value: PhantomData }
    }
}

impl<K, V> fmt::Debug for RemoteStore<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)
    }
}

impl<K, V> RemoteStore<K, V> {
    pub(super) fn new(client: Client, name: String, serde: SharedSerde<K>, text: KeyText<K>) -> Self {
        RemoteStore { client, name: name.into(), serde, text, at_least: None, value: PhantomData }
    }

    /// The same, answered only of what has seen so much of its input, and asked for again until then, or until the deadline: who has
    /// written a record, and knows its offset, reads what came of it.
    ///
    /// The position is that of the topics which the store's task reads: behind a repartition, those are not the ones that were written to. A store may be asked with the
    /// position of an earlier answer ([`Source::position`](crate::wire::Source)), too. Partitions that it does not name are read as they are; copies do not know
    /// how far they are, and do not answer, and of global stores nobody does.
    ///
    /// ```no_run
    /// use headwater::query::Client;
    /// use headwater::record::Offset;
    /// use headwater::runtime::query::Position;
    ///
    /// # async fn ask(client: Client, offset: i64) -> Result<(), headwater::Error> {
    /// let written = Position::default().with_component("orders", 0, Offset::new(offset));
    /// let totals = client.key_value::<String, i64>("totals").at_least(&written);
    /// let with_it: Option<i64> = totals.get(&"alice".to_owned()).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn at_least(mut self, position: &Position) -> Self {
        self.at_least = (!position.is_empty()).then(|| position_text(position).into());
        self
    }

    /// It is a key-value store.
    pub fn key_value(self) -> RemoteKeyValueStore<K, V> {
        RemoteKeyValueStore(self)
    }

    /// It is a window store.
    pub fn window(self) -> RemoteWindowStore<K, V> {
        RemoteWindowStore(self)
    }

    /// It is a session store.
    pub fn session(self) -> RemoteSessionStore<K, V> {
        RemoteSessionStore(self)
    }

    /// It is a versioned store.
    pub fn versioned(self) -> RemoteVersionedStore<K, V> {
        RemoteVersionedStore(self)
    }
}

impl<K: 'static, V: DeserializeOwned + Send + 'static> RemoteStore<K, V> {
    fn key(&self, key: &K) -> Result<String, Error> {
        match self.text.write(key) {
            text if text.is_empty() => {
                let what = "an empty key has no path: ask for the range from it to itself";
                Err(Error::new(ErrorKind::User, what))
            }
            text => Ok(escape(&text)),
        }
    }

    fn place(&self, key: &K) -> Result<Place, Error> {
        let mut bytes = Vec::new();
        let refused = |why: String| Error::new(ErrorKind::User, format!("a key of store {}: {why}", self.name));
        match self.serde.serialize(&self.name, key, &mut bytes) {
            Ok(Encoded::Bytes) => {
                bytes.truncate(self.serde.partition_prefix(&bytes));
                Ok(Place::OfKey(bytes))
            }
            Ok(Encoded::Null) => Err(refused("null is no key".to_owned())),
            Err(error) => Err(refused(error.to_string())),
        }
    }

    /// What is asked of a key, below it.
    fn of_key(&self, key: &K, below: &str, mut parameters: Parameters) -> Result<Question, Error> {
        parameters.extend(self.bound());
        let path = format!("keys/{}{below}", self.key(key)?);
        Ok(Question { store: Arc::clone(&self.name), place: self.place(key)?, path, parameters })
    }

    async fn found(&self, key: &K, below: &str, parameters: Parameters) -> Result<Answer<Entry<V>>, Error> {
        let (found, host) = self.client.pursue::<Found<V>>(self.of_key(key, below, parameters)?).await?;
        Ok(match found {
            Ok(Found { entry, source }) => {
                let timestamp = entry.timestamp;
                Answer { value: Some(entry), timestamp, source, host }
            }
            Err(source) => Answer { value: None, timestamp: None, source, host },
        })
    }

    async fn value(&self, key: &K, below: &str, parameters: Parameters) -> Result<Answer<V>, Error> {
        let Answer { value, timestamp, source, host } = self.found(key, below, parameters).await?;
        Ok(Answer { value: value.map(|entry| entry.value), timestamp, source, host })
    }

    /// What `typed` makes of all that is found of a key.
    fn entries_of_key<T: Send + 'static>(
        &self,
        key: &K,
        below: &str,
        parameters: Parameters,
        typed: impl Fn(Entry<V>) -> Result<Option<T>, Error> + Clone + Send + Sync + 'static,
    ) -> Entries<T> {
        match self.of_key(key, below, self.paged(parameters)) {
            Ok(question) => Entries::of(self.client.clone(), question, typed),
            Err(error) => Entries::failed(error),
        }
    }

    /// The same of all keys.
    fn entries<T: Send + 'static>(
        &self,
        path: &str,
        parameters: Parameters,
        typed: impl Fn(Entry<V>) -> Result<Option<T>, Error> + Clone + Send + Sync + 'static,
    ) -> Entries<T> {
        let (store, place) = (Arc::clone(&self.name), Place::Partition(None));
        let parameters = parameters.into_iter().chain(self.bound()).collect();
        let question = Question { store, place, path: path.to_owned(), parameters: self.paged(parameters) };
        Entries::of_all(self.client.clone(), question, typed)
    }

    fn bound(&self) -> Option<(&'static str, String)> {
        self.at_least.as_ref().map(|text| ("at_least", text.to_string()))
    }

    fn paged(&self, mut parameters: Parameters) -> Parameters {
        parameters.extend(self.client.0.options.page.map(|entries| ("limit", entries.to_string())));
        parameters
    }
}

type Parameters = Vec<(&'static str, String)>;

fn times(from: impl Into<Timestamp>, to: impl Into<Timestamp>) -> Parameters {
    vec![("from", from.into().to_string()), ("to", to.into().to_string())]
}

fn key_of<K>(text: KeyText<K>, key: &str) -> Result<K, Error> {
    let unreadable = |error| Error::new(ErrorKind::Data, format!("{key:?} was answered, which is no key: {error}"));
    text.read(key).map_err(unreadable)
}

fn unfit(what: &str) -> Error {
    Error::new(ErrorKind::Data, format!("an entry was answered without its {what}"))
}

fn windowed<K, V>(
    text: KeyText<K>,
) -> impl Fn(Entry<V>) -> Result<Option<(Windowed<K>, V)>, Error> + Clone + Send + Sync + 'static
where
    K: 'static,
{
    move |entry| {
        let (Some(start), Some(end)) = (entry.start, entry.end) else { return Err(unfit("window")) };
        Ok(Some((Windowed::new(key_of(text, &entry.key)?, Window::of_millis(start, end)), entry.value)))
    }
}
