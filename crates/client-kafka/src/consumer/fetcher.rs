//! Doing what the plan says: the task that asks the brokers.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use bytes::Bytes;
use headwater_client::{ClientError, Isolation, OffsetSpec, StartAt, Watermarks};
use headwater_record::{Clock as _, Deadline, Offset, Topic, TopicPartition};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{FetchRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::messages::{Answer, Ask, Claim, Entry, From, Heard};
use super::plan::Plan;
use super::settings::Settings;
use crate::admin::list_offsets;
use crate::batch::Aborted;
use crate::clock::{SystemClock, remaining};
use crate::error::{About, of_code};
use crate::metadata::{Brokers, Metadata};

/// The last version that names topics; later ones use ids.
const NEWEST: i16 = 12;
/// What is less than this part of an answer gets memory of its own.
const SMALL_PART: usize = 8;
/// From here on a fetch tells what was read last.
const TELLS_EPOCH: i16 = 12;

/// What the consumer wants.
#[derive(Debug)]
pub(super) enum Order {
    /// Read a partition from here on.
    Claim(Claim, TopicPartition, StartAt),
    /// Read it no longer.
    GiveUp(Claim),
    /// What came last was handed out; go on from here.
    Fetch(Claim, From),
    /// Not of the consumer: its poll is to end.
    Wakeup,
}

/// What became of a question.
#[derive(Debug)]
enum Done {
    Metadata(Vec<Topic>, Result<Metadata, ClientError>),
    Starts(Vec<(Claim, TopicPartition)>, Result<Vec<Offset>, ClientError>),
    Fetch(String, Vec<Entry>, Result<(Duration, Vec<Answer>), ClientError>),
}

/// Starts a fetcher, which ends when the sender of orders is dropped.
pub(super) fn start(handle: &Handle, settings: Settings, tell: Sender<Heard>) -> UnboundedSender<Order> {
    let (orders, incoming) = unbounded_channel();
    let fetcher = Fetcher {
        asking: Arc::new(Brokers::new(settings.servers.clone())),
        fetching: Arc::new(Brokers::new(settings.servers.clone())),
        plan: Plan::new(settings.clone()),
        settings: Arc::new(settings),
        tell,
    };
    handle.spawn(fetcher.run(incoming));
    orders
}

struct Fetcher {
    settings: Arc<Settings>,
    /// For questions that are answered at once: they must not wait behind a fetch that waits for records.
    asking: Arc<Brokers>,
    fetching: Arc<Brokers>,
    plan: Plan,
    tell: Sender<Heard>,
}

impl Fetcher {
    async fn run(mut self, mut orders: UnboundedReceiver<Order>) {
        // Dropped at the end, and with it all that is still under way.
        let mut work = JoinSet::new();
        let (answer, mut answers) = unbounded_channel();
        loop {
            let now = SystemClock.now();
            for ask in self.plan.ask(now) {
                work.spawn(self.perform(ask, answer.clone()));
            }
            while let Some(ended) = work.try_join_next() {
                // A question that is never answered would be waited for for ever: better to end, which the next poll tells.
                if let Err(error) = ended {
                    tracing::error!(%error, "fetching has ended");
                    return;
                }
            }
            for heard in self.plan.heard() {
                if self.tell.send(heard).is_err() {
                    return;
                }
            }
            let wait = remaining(Deadline::at(self.plan.wake_at(now)));
            let next = async {
                tokio::select! {
                    order = orders.recv() => order.map(Next::Order),
                    Some(done) = answers.recv() => Some(Next::Done(done)),
                }
            };
            match timeout(wait, next).await {
                Ok(None) => return,
                Ok(Some(Next::Done(done))) => self.answered(done),
                Ok(Some(Next::Order(order))) => {
                    self.ordered(order);
                    while let Ok(order) = orders.try_recv() {
                        self.ordered(order);
                    }
                }
                Err(_) => {}
            }
        }
    }

    fn ordered(&mut self, order: Order) {
        match order {
            Order::Claim(claim, partition, at) => self.plan.claim(claim, partition, at),
            Order::GiveUp(claim) => self.plan.give_up(claim),
            Order::Fetch(claim, from) => self.plan.fetch(claim, from),
            // Nobody hears it when the consumer is gone.
            Order::Wakeup => drop(self.tell.send(Heard::Wakeup)),
        }
    }

    fn answered(&mut self, done: Done) {
        let now = SystemClock.now();
        match done {
            Done::Metadata(topics, answer) => self.plan.metadata_came(now, &topics, answer),
            Done::Starts(partitions, answer) => self.plan.starts_came(now, &partitions, answer),
            Done::Fetch(address, entries, answer) => self.plan.records_came(now, &address, &entries, answer),
        }
    }

    fn perform(&self, ask: Ask, answer: UnboundedSender<Done>) -> impl Future<Output = ()> + Send + 'static {
        let settings = Arc::clone(&self.settings);
        let (asking, fetching) = (Arc::clone(&self.asking), Arc::clone(&self.fetching));
        async move {
            let done = match ask {
                Ask::Metadata { topics, elsewhere } => {
                    if elsewhere {
                        asking.elsewhere();
                    }
                    let answer = asking.look(Some(&topics)).await;
                    Done::Metadata(topics, answer)
                }
                Ask::Starts(at, claims) => {
                    let partitions: Vec<TopicPartition> =
                        claims.iter().map(|(_, partition)| partition.clone()).collect();
                    let spec = match at {
                        StartAt::End if settings.committed_only => OffsetSpec::Latest(Isolation::ReadCommitted),
                        StartAt::End => OffsetSpec::Latest(Isolation::ReadUncommitted),
                        _ => OffsetSpec::Earliest,
                    };
                    Done::Starts(claims, list_offsets(&asking, &partitions, spec).await)
                }
                Ask::Fetch(address, wait, entries) => {
                    let answer = fetch(&settings, &fetching, &address, wait, &entries).await;
                    Done::Fetch(address, entries, answer)
                }
            };
            // The fetcher has ended: nobody wants to know.
            let _ = answer.send(done);
        }
    }
}

enum Next {
    Order(Order),
    Done(Done),
}

async fn fetch(
    settings: &Settings,
    brokers: &Brokers,
    address: &str,
    wait: Duration,
    entries: &[Entry],
) -> Result<(Duration, Vec<Answer>), ClientError> {
    let connection = brokers.at(address).await?;
    let version = connection.version_of::<FetchRequest>(NEWEST)?;
    let request = request(settings, wait, entries, version);
    let response = connection.call_at(version, &request, wait + settings.servers.request_timeout).await?;
    if let Some(error) = of_code(response.error_code, About::Request("Fetch")) {
        return Err(error);
    }
    let asked: HashMap<(&str, i32), Claim> = entries
        .iter()
        .map(|entry| ((entry.partition.topic.as_str(), entry.partition.partition), entry.claim))
        .collect();
    let parts = response.responses.iter().flat_map(|topic| &topic.partitions);
    let all: usize = parts.filter_map(|part| part.records.as_ref()).map(Bytes::len).sum();
    let mut answers = Vec::with_capacity(entries.len());
    for topic in response.responses {
        for partition in topic.partitions {
            if let Some(claim) = asked.get(&(&*topic.topic.0, partition.partition_index)) {
                let mut answer = answer(settings, *claim, partition);
                // A small part would keep the memory of the whole answer, for as long as nobody wants it.
                if answer.bytes.len() < all / SMALL_PART {
                    answer.bytes = Bytes::copy_from_slice(&answer.bytes);
                }
                answers.push(answer);
            }
        }
    }
    Ok((Duration::from_millis(u64::try_from(response.throttle_time_ms).unwrap_or(0)), answers))
}

fn request(settings: &Settings, wait: Duration, entries: &[Entry], version: i16) -> FetchRequest {
    let mut topics: Vec<FetchTopic> = Vec::new();
    for entry in entries {
        let From { offset, epoch } = entry.from;
        let partition = FetchPartition::default()
            .with_partition(entry.partition.partition)
            .with_current_leader_epoch(entry.leader_epoch)
            .with_fetch_offset(offset.value())
            .with_last_fetched_epoch(if version >= TELLS_EPOCH { epoch } else { -1 })
            .with_partition_max_bytes(settings.partition_bytes);
        let name = entry.partition.topic.as_str();
        if let Some(topic) = topics.iter_mut().rev().find(|topic| &*topic.topic.0 == name) {
            topic.partitions.push(partition);
        } else {
            let name = TopicName(StrBytes::from_string(name.to_owned()));
            topics.push(FetchTopic::default().with_topic(name).with_partitions(vec![partition]));
        }
    }
    FetchRequest::default()
        .with_max_wait_ms(i32::try_from(wait.as_millis()).unwrap_or(i32::MAX))
        .with_min_bytes(settings.min_bytes)
        .with_max_bytes(settings.max_bytes)
        .with_isolation_level(i8::from(settings.committed_only))
        .with_topics(topics)
        .with_rack_id(StrBytes::from_string(if version >= 11 { settings.rack.clone() } else { String::new() }))
}

fn answer(settings: &Settings, claim: Claim, data: PartitionData) -> Answer {
    let high = if settings.committed_only { data.last_stable_offset } else { data.high_watermark };
    let aborted = data
        .aborted_transactions
        .unwrap_or_default()
        .into_iter()
        .map(|transaction| Aborted { producer_id: transaction.producer_id.0, first_offset: transaction.first_offset });
    Answer {
        claim,
        code: data.error_code,
        watermarks: Watermarks { low: Offset::new(data.log_start_offset), high: Offset::new(high) },
        aborted: aborted.collect(),
        bytes: data.records.unwrap_or_default(),
        diverges_at: (data.diverging_epoch.end_offset >= 0).then(|| Offset::new(data.diverging_epoch.end_offset)),
        replica: (data.preferred_read_replica.0 >= 0).then_some(data.preferred_read_replica.0),
    }
}
