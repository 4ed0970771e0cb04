//! A question on its way: to the active task, to standbys where they may answer, and again, until the deadline.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use headwater_record::{Partition, partition_for_key};
use headwater_runtime::assignment::HostPort;
use headwater_runtime::{Error, ErrorKind};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::Client;
use super::layouts::{Hosts, Layout, escape};
use super::transport::Reply;
use crate::wire::Source;

/// The first pause before a question is asked again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

/// What is answered, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// `None`: the store has nothing there.
    pub value: Option<T>,
    /// The value's timestamp, milliseconds since 1970, where the store has one.
    pub timestamp: Option<i64>,
    /// Of what it was read: the active task, or a standby and how much that lacked.
    pub source: Source,
    /// Who answered.
    pub host: HostPort,
}

/// In which partition something is asked for.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// Where records with these bytes as their key go, unless somebody answers that they are elsewhere.
    OfKey(Vec<u8>),
    /// There; `None` in a global store.
    Partition(Option<Partition>),
}

impl Place {
    fn partition(&self, layout: &Layout) -> Option<Partition> {
        match self {
            Place::OfKey(bytes) => (layout.partitions() > 0).then(|| partition_for_key(bytes, layout.partitions())),
            Place::Partition(partition) => *partition,
        }
    }
}

/// A question.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) store: Arc<str>,
    pub(super) place: Place,
    /// Below the store, without parameters.
    pub(super) path: String,
    /// Names, and values as they are.
    pub(super) parameters: Vec<(&'static str, String)>,
}

impl Question {
    fn path(&self, max_lag: Option<u64>) -> String {
        let mut path = format!("/v1/stores/{}/{}", escape(&self.store), self.path);
        let max_lag = max_lag.map(|offsets| ("max_lag", offsets.to_string()));
        for (number, (name, value)) in self.parameters.iter().chain(&max_lag).enumerate() {
            path.push(if number == 0 { '?' } else { '&' });
            path.push_str(name);
            path.push('=');
            path.push_str(&escape(value));
        }
        path
    }
}

/// What a question comes to, and who answered it.
pub(super) type Outcome<T> = (Result<T, Source>, HostPort);

impl Client {
    /// Asks until there is an answer, or the deadline is over; `Err` of the inner result: there is nothing, says who looked.
    pub(super) async fn pursue<T: DeserializeOwned>(&self, mut question: Question) -> Result<Outcome<T>, Error> {
        let mut patience = Patience::new(&question.store, self.0.options.deadline);
        loop {
            let why = match tokio::time::timeout_at(patience.ends, self.attempt(&question)).await {
                Ok((Reply::Answer(answer), host)) => return Ok((Ok(answer), host)),
                Ok((Reply::Nothing(source), host)) => return Ok((Err(source), host)),
                Ok((Reply::Refused(error), _)) => return Err(error),
                Ok((Reply::Elsewhere(partition, what), _)) => {
                    // Where it is, not who has it: that is the metadata's to say.
                    if let (Place::OfKey(_), Some(_)) = (&question.place, partition) {
                        question.place = Place::Partition(partition);
                    }
                    Some(what)
                }
                Ok((Reply::NotNow(what), _)) => Some(what),
                Err(_) => None,
            };
            patience.wait(why).await?;
        }
    }

    /// Who has what of `store`, asked for until somebody says so, or the deadline is over.
    pub(super) async fn layout(&self, store: &Arc<str>) -> Result<Arc<Layout>, Error> {
        let mut patience = Patience::new(store, self.0.options.deadline);
        loop {
            let asked = self.0.layouts.of(store, &self.0.transport);
            let why = match tokio::time::timeout_at(patience.ends, asked).await {
                Ok(Reply::Answer(layout)) => return Ok(layout),
                Ok(Reply::Refused(error)) => return Err(error),
                Ok(Reply::NotNow(what) | Reply::Elsewhere(_, what)) => Some(what),
                Ok(Reply::Nothing(_)) | Err(_) => None,
            };
            patience.wait(why).await?;
        }
    }

    /// Asks once everybody who may answer.
    async fn attempt<T: DeserializeOwned>(&self, question: &Question) -> (Reply<T>, HostPort) {
        let nobody = HostPort::new("nobody", 0);
        let (layouts, transport) = (&self.0.layouts, &self.0.transport);
        let layout = match layouts.of(&question.store, transport).await {
            Reply::Answer(layout) => layout,
            Reply::Refused(error) => return (Reply::Refused(error), nobody),
            Reply::NotNow(what) | Reply::Elsewhere(_, what) => return (Reply::NotNow(what), nobody),
            Reply::Nothing(_) => return (Reply::NotNow("nobody says who has what".to_owned()), nobody),
        };
        let hosts = layout.of_partition(question.place.partition(&layout), layouts.turn());
        let active = hosts.active.clone();
        let answer = self.ask(question, hosts).await;
        if !is_final(&answer.0) || Some(&answer.1) != active.as_ref() {
            layouts.is_outdated(&question.store, &layout);
        }
        answer
    }

    async fn ask<T: DeserializeOwned>(&self, question: &Question, hosts: Hosts) -> (Reply<T>, HostPort) {
        let options = &self.0.options;
        let of_active = self.ask_active(question, hosts.active.as_ref());
        let Some(max_lag) = options.max_staleness else { return of_active.await };
        let of_standbys = self.ask_standbys(question, &hosts.standbys, max_lag);
        let Some(patience) = options.hedge_after else {
            let answer = of_active.await;
            return if is_final(&answer.0) { answer } else { of_standbys.await.unwrap_or(answer) };
        };
        let hedge = async {
            tokio::time::sleep(patience).await;
            of_standbys.await
        };
        tokio::pin!(of_active, hedge);
        match select(of_active, hedge).await {
            Either::Left((answer, _)) | Either::Right((Some(answer), _)) if is_final(&answer.0) => answer,
            Either::Left((answer, hedge)) => hedge.await.unwrap_or(answer),
            Either::Right((_, of_active)) => of_active.await,
        }
    }

    async fn ask_active<T: DeserializeOwned>(
        &self,
        question: &Question,
        active: Option<&HostPort>,
    ) -> (Reply<T>, HostPort) {
        match active {
            Some(host) => (self.0.transport.get(host, &question.path(None)).await, host.clone()),
            None => (Reply::NotNow("nobody's task is active".to_owned()), HostPort::new("nobody", 0)),
        }
    }

    /// The first answer; `None` when none of them has one.
    async fn ask_standbys<T: DeserializeOwned>(
        &self,
        question: &Question,
        standbys: &[HostPort],
        max_lag: u64,
    ) -> Option<(Reply<T>, HostPort)> {
        let path = question.path(Some(max_lag));
        for host in standbys {
            let reply = self.0.transport.get(host, &path).await;
            if is_final(&reply) {
                return Some((reply, host.clone()));
            }
        }
        None
    }
}

/// Whether asking another would not help.
fn is_final<T>(reply: &Reply<T>) -> bool {
    !matches!(reply, Reply::NotNow(_) | Reply::Elsewhere(..))
}

/// How long somebody still waits for an answer.
struct Patience {
    store: Arc<str>,
    time: Duration,
    ends: Instant,
    pause: Duration,
    /// Why there was none so far.
    why: String,
}

impl Patience {
    fn new(store: &Arc<str>, time: Duration) -> Self {
        let why = "nobody has answered in time".to_owned();
        Patience { store: Arc::clone(store), time, ends: Instant::now() + time, pause: PAUSES.0, why }
    }

    /// Pauses before it is asked again, or gives up.
    async fn wait(&mut self, why: Option<String>) -> Result<(), Error> {
        self.why = why.unwrap_or_else(|| std::mem::take(&mut self.why));
        let pause = jittered(self.pause);
        if Instant::now() + pause >= self.ends {
            let (store, within, why) = (&self.store, self.time.as_millis(), &self.why);
            let what = format!("store {store} gave no answer within {within} ms; the last word was: {why}");
            return Err(Error::new(ErrorKind::Unavailable, what));
        }
        self.pause = (self.pause * 2).min(PAUSES.1);
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// From half to all of it, so that those who failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 1_024;
    pause.mul_f64(0.5 + random as f64 / 2_048.0)
}
