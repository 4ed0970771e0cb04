//! Long answers: the pages of each partition, gathered from all who have one.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use headwater_record::Partition;
use headwater_runtime::Error;
use headwater_runtime::query::Position;
use serde::de::DeserializeOwned;

use super::Client;
use super::pursuit::{Place, Question};
use crate::wire::{Entry, Page};

/// So many partitions are read at the same time, a page of each.
const AT_ONCE: usize = 4;

/// What a question with a long answer finds, as it comes: each partition in the order of its store, several at once, none twice. At most a page of
/// each is held. Pages are read one after the other, each as of the last commit then.
///
/// It is a [`Stream`]; after an error there is nothing more of that partition, so that whoever wants all of it stops there.
pub struct Entries<T> {
    found: BoxStream<'static, Result<T, Error>>,
    seen: Seen,
}

/// How much of their input those have seen that answered so far.
type Seen = Arc<Mutex<Position>>;

impl<T> Stream for Entries<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.found.poll_next_unpin(cx)
    }
}

impl<T> fmt::Debug for Entries<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entries")
    }
}

impl<T: 'static> Entries<T> {
    /// The next one, as `futures_util::StreamExt` gives it too.
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        self.found.next().await
    }

    /// How much of their input those have seen that answered so far: what whoever reads next may be bound to, so that he sees no less
    /// ([`RemoteStore::at_least`](crate::RemoteStore::at_least)). Pages of one partition may be of several commits; this is the last.
    pub fn position(&self) -> Position {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One error, and nothing else.
    pub(super) fn failed(error: Error) -> Self
    where
        T: Send,
    {
        Entries { found: stream::iter([Err(error)]).boxed(), seen: Seen::default() }
    }

    /// The pages of one place.
    pub(super) fn of<V: DeserializeOwned + Send + 'static>(
        client: Client,
        question: Question,
        typed: impl Fn(Entry<V>) -> Result<Option<T>, Error> + Clone + Send + Sync + 'static,
    ) -> Self
    where
        T: Send,
    {
        let seen = Seen::default();
        Entries { found: typed_pages(client, question, &seen, typed), seen }
    }

    /// The pages of all partitions.
    pub(super) fn of_all<V: DeserializeOwned + Send + 'static>(
        client: Client,
        question: Question,
        typed: impl Fn(Entry<V>) -> Result<Option<T>, Error> + Clone + Send + Sync + 'static,
    ) -> Self
    where
        T: Send,
    {
        let seen = Seen::default();
        let noted = Arc::clone(&seen);
        let places = {
            let (client, question) = (client.clone(), question.clone());
            async move { client.partitions(&question).await }
        };
        let each = move |place: Option<Partition>| {
            let (mut question, typed) = (question.clone(), typed.clone());
            question.place = Place::Partition(place);
            question.parameters.extend(place.map(|number| ("partition", number.to_string())));
            typed_pages(client.clone(), question, &noted, typed)
        };
        let gathered = stream::once(places)
            .map_ok(move |places| stream::iter(places).map(each.clone()).flatten_unordered(AT_ONCE))
            .try_flatten();
        Entries { found: gathered.boxed(), seen }
    }
}

/// What `typed` makes of the entries of a place, if anything.
fn typed_pages<V: DeserializeOwned + Send + 'static, T: Send + 'static>(
    client: Client,
    question: Question,
    seen: &Seen,
    typed: impl Fn(Entry<V>) -> Result<Option<T>, Error> + Send + Sync + 'static,
) -> BoxStream<'static, Result<T, Error>> {
    let found = pages(client, question, Arc::clone(seen)).map(move |entry| entry.and_then(&typed).transpose());
    found.filter_map(std::future::ready).boxed()
}

/// The entries of a place, page by page.
fn pages<V: DeserializeOwned + Send + 'static>(
    client: Client,
    question: Question,
    seen: Seen,
) -> impl Stream<Item = Result<Entry<V>, Error>> + Send {
    let pages = stream::try_unfold(Some((client, question, seen)), next_page::<V>);
    pages.map_ok(|entries| stream::iter(entries.into_iter().map(Ok::<_, Error>))).try_flatten()
}

/// Who asks on, and what, and to whom it is told what the answers had seen.
type Rest = Option<(Client, Question, Seen)>;

async fn next_page<V: DeserializeOwned>(rest: Rest) -> Result<Option<(Vec<Entry<V>>, Rest)>, Error> {
    let Some((client, mut question, seen)) = rest else { return Ok(None) };
    let (found, _) = client.pursue::<Page<V>>(question.clone()).await?;
    // Only questions for one entry are answered by there being none.
    let Ok(page) = found else { return Ok(None) };
    let merge = |seen: &mut Position| *seen = std::mem::take(seen).merge(&page.source.position);
    merge(&mut seen.lock().unwrap_or_else(PoisonError::into_inner));
    let rest = page.next.map(|next| {
        question.parameters.retain(|(name, _)| *name != "after");
        question.parameters.push(("after", next));
        (client, question, seen)
    });
    Ok(Some((page.entries, rest)))
}

impl Client {
    /// All places of a store.
    async fn partitions(&self, question: &Question) -> Result<Vec<Option<Partition>>, Error> {
        let layout = self.layout(&question.store).await?;
        let partitions = layout.partitions();
        Ok(if partitions == 0 { vec![None] } else { (0..partitions).map(Some).collect() })
    }
}
