//! What lives on the thread of the connections: it decides which batches go to which broker, and hears the answers.
//!
//! One task owns all of it. Everything that happens comes to it as an [`Event`], through one channel: batches that are closed, answers,
//! what the cluster says of leaders. After each it looks what may be sent now, and starts a request for each broker that has batches
//! and fewer requests under way than it may have. A request waits in a task of its own, so that a broker that is slow, frozen or
//! gone holds up nothing but its own partitions. Requests to one broker are written in the order in which they were started: tasks of
//! one thread begin in that order, and wait for the connection and for its writer in turn.
#![forbid(unsafe_code)]

mod leaders;
mod leased;
mod participants;

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::{Arc, mpsc};

use headwater_client::{ClientError, ErrorClass, Lease};
use headwater_record::{Clock, Offset, Timestamp, Topic, TopicPartition};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::leased::Leased;
pub(super) use self::participants::MARKERS;
use self::participants::Participants;
use super::answers::{Said, concerns_producer, leader_may_have_moved, meaning, meaning_in_transaction};
use super::identity::new_identity;
use super::inquiry::Inquiry;
use super::request::{Fate, Part, Terms, exchange};
use super::sealed::Sealed;
use super::sequences::{Answer, Batch as _, Identity, Sequences, Told};
use super::settings::Settings;
use super::transaction::coordinators::Coordinators;
use super::transaction::{Protocol, Said as OfTransaction};
use crate::clock::SystemClock;
use crate::error::{About, of_code};
use crate::metadata::{Brokers, Metadata};

/// What happens.
#[derive(Debug)]
pub(super) enum Event {
    /// The next place is this partition.
    Place(TopicPartition),
    /// A batch was closed, whose first record came at `began`.
    Closed { place: usize, batch: Sealed, began: Timestamp },
    /// What became of a request.
    Answered { broker: usize, fates: Vec<(Part, Fate)> },
    /// What the cluster says of these topics.
    Looked { topics: BTreeSet<Topic>, found: Result<Metadata, ClientError> },
    /// Who this producer is.
    Named(Result<Identity, ClientError>),
    /// The next transaction is written by this identity.
    Next { identity: Identity, protocol: Protocol },
    /// Nothing of the open transaction is to be sent any more.
    Abandon,
    /// Nothing is to be sent while this does not hold.
    Obey(Lease),
    /// Nothing is to be sent of what was closed before.
    GiveUp,
    /// What the coordinator says of these places: whether they are part of the transaction.
    Joined { places: Vec<usize>, said: OfTransaction },
    /// The producer is gone.
    Dropped,
}

/// What the producer is told.
#[derive(Debug)]
pub(super) enum Heard {
    /// A batch is in the log.
    Stored { place: usize, base_offset: Offset, count: u32, held: usize, memory: Vec<u8> },
    /// A batch is not.
    Failed { place: usize, error: ClientError, batch: Sealed, in_doubt: bool },
    /// Who leads a place, as far as it is known.
    Led { place: usize, leader: Option<usize> },
    /// Nobody leads a place, as the cluster says.
    Leaderless { place: usize, why: ClientError },
    /// The coordinator has heard of the open transaction.
    Joined,
    /// The coordinator was asked for the open transaction, and was not heard of again.
    Silence(ClientError),
    /// Nothing is left of the transaction that was abandoned.
    Quiet,
    /// Something that concerns all of them, or that it is over.
    Trouble(Option<ClientError>),
    /// Whether batches wait for the lease; that is told again when it will not come back.
    HeldBack(bool),
}

/// A partition that is written to.
#[derive(Debug)]
struct Place {
    sequences: Sequences<Sealed>,
    leader: Option<usize>,
    /// Where the batches are that are under way.
    sent_to: Option<usize>,
    /// Whether it is among those that have batches.
    active: bool,
}

impl Place {
    /// `number` is its own.
    fn is_led_by(&mut self, leader: Option<usize>, number: usize, heard: &mpsc::Sender<Heard>) {
        if self.leader != leader {
            self.leader = leader;
            // Where nobody listens any more, the end is near.
            let _ = heard.send(Heard::Led { place: number, leader });
        }
    }
}

/// A broker that leads partitions.
#[derive(Debug)]
struct Broker {
    address: Arc<str>,
    /// How many requests are under way.
    requests: usize,
    /// Whether it answered last time. Until it does, one request is enough to find out: others would wait behind it for a connection
    /// that may never be, and know of it later than need be.
    answers: bool,
    /// The request that is being put together.
    parts: Vec<Part>,
    bytes: usize,
}

/// What is missing to go on.
#[derive(Debug, Default)]
struct Missing {
    leaders: bool,
    identity: bool,
}

/// What a look at a place came to.
enum Picked {
    Sent,
    Waits,
    Empty,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Sender {
    settings: Settings,
    cluster: Arc<Brokers>,
    events: UnboundedReceiver<Event>,
    own: UnboundedSender<Event>,
    heard: mpsc::Sender<Heard>,
    tasks: JoinSet<()>,
    places: Vec<Place>,
    /// Places with batches; those that have waited longest come first.
    active: Vec<usize>,
    brokers: Vec<Broker>,
    by_address: HashMap<Arc<str>, usize>,
    leaders: Inquiry,
    /// When what is known of leaders is asked anew.
    stale_at: Timestamp,
    naming: Inquiry,
    identity: Option<Identity>,
    /// Where records are written in transactions.
    participants: Option<Participants>,
    leased: Leased,
    troubled: bool,
}

impl Sender {
    /// A sender, how it is told of events, and how it tells.
    pub(super) fn new(
        settings: Settings,
        cluster: Arc<Brokers>,
        coordinators: Option<Arc<Coordinators>>,
    ) -> (Self, UnboundedSender<Event>, mpsc::Receiver<Heard>) {
        let (own, events) = unbounded_channel();
        let (heard, hears) = mpsc::channel();
        let sender = Sender {
            leaders: Inquiry::new(settings.retry_backoff, settings.rules.backoff_max),
            naming: Inquiry::new(settings.retry_backoff, settings.rules.backoff_max),
            settings,
            cluster,
            events,
            own: own.clone(),
            heard,
            tasks: JoinSet::new(),
            places: Vec::new(),
            active: Vec::new(),
            brokers: Vec::new(),
            by_address: HashMap::new(),
            stale_at: Timestamp::MAX,
            identity: None,
            participants: coordinators.map(Participants::new),
            leased: Leased::default(),
            troubled: false,
        };
        (sender, own, hears)
    }

    /// Runs until the producer is gone. Requests under way end with it.
    pub(super) async fn run(mut self) {
        loop {
            let now = SystemClock.now();
            let wake = self.look(now);
            let event = match wake {
                None => self.events.recv().await,
                Some(at) => match timeout(at.since(now), self.events.recv()).await {
                    Ok(event) => event,
                    Err(_) => continue,
                },
            };
            let now = SystemClock.now();
            let mut next = event;
            while let Some(event) = next {
                if self.take(event, now).is_break() {
                    return;
                }
                next = self.events.try_recv().ok();
            }
            while let Some(ended) = self.tasks.try_join_next() {
                // An answer that never comes would be waited for for ever: better to end, which the next poll tells.
                if let Err(error) = ended {
                    tracing::error!(%error, "sending has ended");
                    return;
                }
            }
        }
    }

    fn take(&mut self, event: Event, now: Timestamp) -> ControlFlow<()> {
        match event {
            Event::Place(partition) => {
                let sequences = Sequences::new(partition, self.settings.rules);
                self.places.push(Place { sequences, leader: None, sent_to: None, active: false });
            }
            Event::Closed { place: index, batch, began } => {
                let Some(place) = self.places.get_mut(index) else { return ControlFlow::Continue(()) };
                place.sequences.push(batch, began);
                if !place.active {
                    place.active = true;
                    self.active.push(index);
                }
            }
            Event::Answered { broker, fates } => self.answered(broker, fates, now),
            Event::Looked { topics, found } => self.looked(&topics, found, now),
            Event::Named(named) => self.named(named, now),
            Event::Next { identity, protocol } => self.next_transaction(identity, protocol),
            Event::Abandon => self.abandon(),
            Event::Obey(lease) => self.leased.obey(lease),
            Event::GiveUp => self.give_up(),
            Event::Joined { places, said } => self.joined(places, said, now),
            Event::Dropped => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    /// Sends what may be sent, and tells what is known. Returns when to look again although nothing has happened.
    fn look(&mut self, now: Timestamp) -> Option<Timestamp> {
        let mut missing = Missing::default();
        self.look_at_lease(now);
        loop {
            let mut sent = Vec::new();
            for index in std::mem::take(&mut self.active) {
                match self.pick(index, now, &mut missing) {
                    Picked::Sent => sent.push(index),
                    Picked::Waits => self.active.push(index),
                    Picked::Empty => {}
                }
            }
            if sent.is_empty() {
                break;
            }
            self.active.append(&mut sent);
            self.start_requests();
        }
        self.tell_when_quiet();
        let places = self.active.iter().filter_map(|index| self.places.get(*index));
        let due = if self.leased.is_held_back() {
            Some(now.plus(leased::LOOK_INTERVAL))
        } else {
            places.filter_map(|place| place.sequences.wake(now)).min()
        };
        let asking = self.ask_what_is_missing(&missing, now);
        due.into_iter().chain(asking).chain(self.ask_for_participants(now)).min()
    }

    /// Puts the next batch of a place into its leader's request, if it may be sent.
    fn pick(&mut self, index: usize, now: Timestamp, missing: &mut Missing) -> Picked {
        let Some(place) = self.places.get_mut(index) else { return Picked::Empty };
        let is_held_back = self.leased.is_held_back();
        if !is_held_back {
            place.sequences.expire(now);
        }
        if let Some(why) = self.participants.as_ref().and_then(|participants| participants.abandoned.as_ref()) {
            place.sequences.fail_waiting(why);
        }
        while let Some(told) = place.sequences.pop() {
            tell(&self.heard, index, told);
        }
        if place.sequences.is_empty() {
            place.active = false;
            return Picked::Empty;
        }
        if is_held_back {
            return Picked::Waits;
        }
        let Some(leader) = place.leader else {
            missing.leaders = true;
            return Picked::Waits;
        };
        if self.participants.as_mut().is_some_and(|participants| participants.lacks(index)) {
            return Picked::Waits;
        }
        if place.sequences.lacks(self.identity) {
            self.identity = None;
            missing.identity = true;
            return Picked::Waits;
        }
        let Some(broker) = self.brokers.get_mut(leader) else { return Picked::Waits };
        // Batches at one leader are not overtaken by others at the next.
        let elsewhere = place.sequences.in_flight() > 0 && place.sent_to != Some(leader);
        let Some(batch) = place.sequences.next(now).filter(|_| !elsewhere) else { return Picked::Waits };
        let fits = broker.parts.is_empty() || broker.bytes + batch.len() <= self.settings.max_request_size;
        let most = if broker.answers { self.settings.max_in_flight } else { 1 };
        if !fits || broker.requests >= most {
            return Picked::Waits;
        }
        let partition = place.sequences.partition().clone();
        let Some((ticket, by, batch)) = place.sequences.send(self.identity) else { return Picked::Waits };
        let bytes = batch.stamped(by);
        broker.bytes += bytes.len();
        broker.parts.push(Part { place: index, ticket, partition, batch: bytes });
        place.sent_to = Some(leader);
        Picked::Sent
    }

    fn start_requests(&mut self) {
        let of = self.settings.transactions.as_ref().zip(self.participants.as_ref());
        let transaction = of.map(|(of, participants)| (Arc::clone(&of.id), participants.protocol));
        let (acks, timeout, lease) = (self.settings.acks, self.settings.request_timeout, self.leased.lease());
        let terms = Terms { transaction, acks, timeout, lease };
        for (index, broker) in self.brokers.iter_mut().enumerate().filter(|(_, broker)| !broker.parts.is_empty()) {
            let parts = std::mem::take(&mut broker.parts);
            broker.bytes = 0;
            broker.requests += 1;
            let (cluster, address, own) = (Arc::clone(&self.cluster), Arc::clone(&broker.address), self.own.clone());
            let terms = terms.clone();
            self.tasks.spawn(async move {
                let fates = exchange(&cluster, &address, &terms, parts).await;
                // The sender outlives its tasks.
                let _ = own.send(Event::Answered { broker: index, fates });
            });
        }
    }

    fn answered(&mut self, broker: usize, fates: Vec<(Part, Fate)>, now: Timestamp) {
        if let Some(broker) = self.brokers.get_mut(broker) {
            broker.requests = broker.requests.saturating_sub(1);
            broker.answers = fates.iter().all(|(_, fate)| matches!(fate, Fate::Said(_)));
        }
        let of = if self.participants.is_some() { meaning_in_transaction } else { meaning };
        for (part, fate) in fates {
            // In transactions each batch that is not written concerns all of them.
            if let Fate::Said(said) = &fate
                && self.participants.is_none()
            {
                self.concerning_all(said, &part.partition);
            }
            let Some(place) = self.places.get_mut(part.place) else { continue };
            let (answer, leader_is_known) = match fate {
                Fate::Said(said) => (of(&said, &part.partition), !leader_may_have_moved(said.code)),
                Fate::NotSent(error) => (Answer::Passing(error), false),
                Fate::NotHeard(error) => {
                    // It may also be the one that says where partitions are.
                    self.cluster.elsewhere();
                    (Answer::Unheard(error), false)
                }
                Fate::Impossible(error) => (Answer::Refused(error), true),
            };
            if !matches!(answer, Answer::Stored(_)) {
                tracing::debug!(partition = %part.partition, ?answer, "a batch was not written");
            }
            if !leader_is_known {
                place.is_led_by(None, part.place, &self.heard);
            }
            place.sequences.answered(part.ticket, answer, now);
        }
    }

    /// Tells what a broker says of the producer as a whole; what it does not say any more is over.
    fn concerning_all(&mut self, said: &Said, partition: &TopicPartition) {
        if concerns_producer(said.code) {
            self.tell_trouble(of_code(said.code, About::Partition(partition, Offset::UNKNOWN)));
        } else if said.code == 0 {
            self.tell_trouble(None);
        }
    }

    fn tell_trouble(&mut self, trouble: Option<ClientError>) {
        if trouble.is_some() || self.troubled {
            self.troubled = trouble.is_some();
            // Where nobody listens any more, the end is near.
            let _ = self.heard.send(Heard::Trouble(trouble));
        }
    }

    /// Asks for what is missing. Returns when that may be done, where it is too early.
    fn ask_what_is_missing(&mut self, missing: &Missing, now: Timestamp) -> Option<Timestamp> {
        let stale = now >= self.stale_at && !self.active.is_empty();
        let mut later = None;
        if (missing.leaders || stale) && !self.leaders.is_under_way() {
            if self.leaders.begin(now) {
                self.ask_for_leaders();
            } else {
                later = Some(self.leaders.not_before());
            }
        }
        // In transactions, the coordinator has given it.
        if missing.identity && self.participants.is_none() && !self.naming.is_under_way() {
            if self.naming.begin(now) {
                let (cluster, own) = (Arc::clone(&self.cluster), self.own.clone());
                self.tasks.spawn(async move {
                    let named = new_identity(&cluster).await;
                    let _ = own.send(Event::Named(named));
                });
            } else {
                later = later.into_iter().chain([self.naming.not_before()]).min();
            }
        }
        later
    }

    fn named(&mut self, named: Result<Identity, ClientError>, now: Timestamp) {
        match named {
            Ok(identity) => {
                self.naming.succeeded(now);
                self.identity = Some(identity);
                let led = self.places.iter_mut().filter(|place| place.leader.is_some());
                led.for_each(|place| place.sequences.hindered(None));
                self.tell_trouble(None);
            }
            Err(error) => {
                if self.naming.failed(now) {
                    tracing::warn!(%error, "the producer gets no id; records wait for it");
                }
                let nameless = self.places.iter_mut().filter(|place| place.sequences.lacks(None));
                nameless.for_each(|place| place.sequences.hindered(Some(error.clone())));
                if error.class() != ErrorClass::Retriable {
                    self.tell_trouble(Some(error));
                }
            }
        }
    }
}

fn tell(heard: &mpsc::Sender<Heard>, place: usize, Told { batch, outcome, in_doubt }: Told<Sealed>) {
    let told = match outcome {
        Ok(offset) => {
            let (count, held) = (batch.count() as u32, batch.held);
            Heard::Stored { place, base_offset: Offset::new(offset), count, held, memory: batch.into_memory() }
        }
        Err(error) => Heard::Failed { place, error, batch, in_doubt },
    };
    // Where nobody listens any more, the end is near.
    let _ = heard.send(told);
}
