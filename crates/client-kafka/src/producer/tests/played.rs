//! A broker that is played: it leads partition 0 of one topic and answers to batches as it was told, then as a broker does.

pub(super) mod coordinator;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    ApiVersionsResponse, BrokerId, InitProducerIdResponse, MetadataRequest, MetadataResponse, ProduceRequest,
    ProduceResponse, ProducerId, RequestHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::sleep;

const METADATA: i16 = 12;

/// What is done about one batch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reply {
    /// It is stored.
    Store,
    /// It is not, for this reason.
    Code(i16),
    /// Nothing is said.
    Nothing,
    /// The connection is closed.
    Close,
}

#[derive(Debug)]
struct Play {
    port: i32,
    replies: VecDeque<Reply>,
    /// Epoch, sequence and number of records of each batch that came.
    seen: Vec<(i16, i32, i32)>,
    /// How many bytes the largest of them had.
    largest: usize,
    stored: i64,
    looks: usize,
    clients: usize,
    naming: i16,
    produce: i16,
    /// Answers are kept back.
    held: bool,
    coordinator: coordinator::Script,
}

/// It ends when it is dropped.
pub(super) struct Broker {
    play: Arc<Mutex<Play>>,
    _stop: oneshot::Sender<()>,
}

impl Broker {
    /// A broker that answers so, one for each batch, and afterwards stores what comes.
    #[allow(clippy::disallowed_methods, reason = "the producer blocks its thread, and the broker needs one")]
    pub(super) fn play(replies: Vec<Reply>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener for tokio");
        let port = listener.local_addr().expect("its address").port().into();
        let (seen, replies) = (Vec::new(), replies.into());
        let coordinator = coordinator::Script::default();
        let (largest, stored, looks, clients, naming, produce) = (0, 0, 0, 0, 0, 12);
        let play =
            Play { port, replies, seen, largest, stored, looks, clients, naming, produce, held: false, coordinator };
        let play = Arc::new(Mutex::new(play));
        let (stop, stopped) = oneshot::channel::<()>();
        let shared = Arc::clone(&play);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.spawn(async move {
                let listener = TcpListener::from_std(listener).expect("a listener");
                while let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(serve(client, Arc::clone(&shared)));
                }
            });
            let _ = runtime.block_on(stopped);
        });
        Broker { play, _stop: stop }
    }

    fn with<T>(&self, look: impl FnOnce(&mut Play) -> T) -> T {
        look(&mut self.play.lock().expect("no panic"))
    }

    pub(super) fn address(&self) -> String {
        self.with(|play| format!("127.0.0.1:{}", play.port))
    }

    /// Epoch, sequence and number of records of each batch that came.
    pub(super) fn seen(&self) -> Vec<(i16, i32, i32)> {
        self.with(|play| play.seen.clone())
    }

    /// How many bytes the largest of them had.
    pub(super) fn largest(&self) -> usize {
        self.with(|play| play.largest)
    }

    /// How often it was asked for leaders.
    pub(super) fn looks(&self) -> usize {
        self.with(|play| play.looks)
    }

    /// It keeps its answers back from now on, or gives them.
    pub(super) fn hold(&self, held: bool) {
        self.with(|play| play.held = held);
    }

    /// How many connections there are.
    pub(super) fn clients(&self) -> usize {
        self.with(|play| play.clients)
    }

    /// Who asks for an id is answered with this code.
    pub(super) fn name_with(&self, code: i16) {
        self.with(|play| play.naming = code);
    }

    /// It belongs to a cluster with this `transaction.version`.
    pub(super) fn carries_transactions(&self, version: i16) {
        self.with(|play| play.coordinator.transaction_version = version);
    }

    /// As a coordinator it answers to these requests so, one for each, and afterwards as a coordinator does.
    pub(super) fn answers(&self, key: i16, replies: &[Reply]) {
        self.with(|play| play.coordinator.replies.entry(key).or_default().extend(replies));
    }

    /// The coordinators are found at the other one from now on.
    pub(super) fn hands_coordinators_to(&self, other: &Self) {
        let port = other.with(|other| other.port);
        self.with(|play| play.coordinator.elsewhere = Some(port));
    }

    /// What it was asked as a coordinator, and told to write, in order; what is returned is forgotten.
    pub(super) fn asked(&self) -> Vec<String> {
        self.with(|play| std::mem::take(&mut play.coordinator.asked))
    }

    /// It is older.
    pub(super) fn speak_up_to(&self, key: i16, version: i16) {
        self.with(|play| play.coordinator.speaks.insert(key, version));
    }

    /// It is older.
    pub(super) fn speak_produce_up_to(&self, version: i16) {
        self.with(|play| play.produce = version);
    }
}

async fn serve(mut client: TcpStream, play: Arc<Mutex<Play>>) {
    play.lock().expect("no panic").clients += 1;
    while let Some(frame) = request(&mut client).await {
        let answered = answer(frame, &mut play.lock().expect("no panic"));
        match answered {
            Answered::With(bytes) => {
                while play.lock().expect("no panic").held {
                    sleep(Duration::from_millis(1)).await;
                }
                if client.write_all(&bytes).await.is_err() {
                    break;
                }
            }
            Answered::Not => {}
            Answered::Closed => break,
        }
    }
    play.lock().expect("no panic").clients -= 1;
}

async fn request(client: &mut TcpStream) -> Option<Bytes> {
    let length = client.read_i32().await.ok()?;
    let mut frame = vec![0; usize::try_from(length).ok()?];
    client.read_exact(&mut frame).await.ok()?;
    Some(frame.into())
}

enum Answered {
    With(BytesMut),
    Not,
    Closed,
}

fn answer(mut frame: Bytes, play: &mut Play) -> Answered {
    let key = i16::from_be_bytes([frame[0], frame[1]]);
    let version = i16::from_be_bytes([frame[2], frame[3]]);
    let header_version = match key {
        ProduceRequest::KEY => ProduceRequest::header_version(version),
        _ => 2,
    };
    let header = RequestHeader::decode(&mut frame, header_version).expect("a header");
    let id = header.correlation_id;
    if let Some(answered) = play.coordinator.answer(key, version, id, frame.clone(), play.port) {
        return answered;
    }
    match key {
        18 => framed(id, &versions(play), 3),
        MetadataRequest::KEY => {
            play.looks += 1;
            let asked = MetadataRequest::decode(&mut frame, version).expect("a request");
            framed(id, &metadata(&asked, play.port), version)
        }
        22 => {
            let named = InitProducerIdResponse::default().with_error_code(play.naming).with_producer_id(ProducerId(7));
            framed(id, &named, version)
        }
        ProduceRequest::KEY => {
            let request = ProduceRequest::decode(&mut frame, version).expect("a request");
            produce(id, &request, version, play)
        }
        other => panic!("nobody taught this broker {other}"),
    }
}

fn framed<R: Encodable + HeaderVersion>(id: i32, response: &R, version: i16) -> Answered {
    let mut body = BytesMut::new();
    body.put_i32(id);
    if R::header_version(version) > 0 {
        body.put_u8(0);
    }
    response.encode(&mut body, version).expect("an answer that can be written");
    let mut frame = BytesMut::new();
    frame.put_i32(body.len() as i32);
    frame.extend_from_slice(&body);
    Answered::With(frame)
}

fn versions(play: &Play) -> ApiVersionsResponse {
    let coordinator = play.coordinator.speaks.iter().map(|(key, newest)| (*key, *newest));
    let speaks = [(ProduceRequest::KEY, play.produce), (3, METADATA)].into_iter().chain(coordinator);
    let speaks = speaks.map(|(key, newest)| ApiVersion::default().with_api_key(key).with_max_version(newest));
    ApiVersionsResponse::default().with_api_keys(speaks.collect()).with_finalized_features(play.coordinator.features())
}

fn metadata(asked: &MetadataRequest, port: i32) -> MetadataResponse {
    let me = MetadataResponseBroker::default()
        .with_node_id(BrokerId(1))
        .with_host(StrBytes::from_static_str("127.0.0.1"))
        .with_port(port);
    let topics = asked.topics.iter().flatten().map(|topic| {
        let partition = MetadataResponsePartition::default().with_leader_id(BrokerId(1));
        MetadataResponseTopic::default().with_name(topic.name.clone()).with_partitions(vec![partition])
    });
    MetadataResponse::default().with_brokers(vec![me]).with_topics(topics.collect())
}

/// Requests of these tests have one batch.
fn produce(id: i32, request: &ProduceRequest, version: i16, play: &mut Play) -> Answered {
    let data = &request.topic_data[0].partition_data[0];
    let batch = data.records.clone().expect("a batch");
    let number = |at: usize| i32::from_be_bytes(batch[at..at + 4].try_into().expect("four bytes"));
    // See KIP-98: epoch, base sequence and number of records.
    let (epoch, sequence, count) = (i16::from_be_bytes([batch[51], batch[52]]), number(53), number(57));
    play.largest = play.largest.max(batch.len());
    play.seen.push((epoch, sequence, count));
    if let Some(name) = &request.transactional_id {
        let part = if batch[22] & 0b1_0000 == 0 { "outside of" } else { "in" };
        let written = format!("Produce v{version} {part} {}, epoch {epoch}, from {sequence}", &*name.0);
        play.coordinator.asked.push(written);
    }
    let (code, base_offset) = match play.replies.pop_front().unwrap_or(Reply::Store) {
        Reply::Nothing => return Answered::Not,
        Reply::Close => return Answered::Closed,
        Reply::Code(code) => (code, -1),
        Reply::Store => {
            play.stored += i64::from(count);
            (0, play.stored - i64::from(count))
        }
    };
    let said = PartitionProduceResponse::default()
        .with_error_code(code)
        .with_base_offset(base_offset)
        .with_error_message(Some(StrBytes::from_static_str("as played")));
    let name = TopicName(StrBytes::from_static_str(super::TOPIC));
    let topic = TopicProduceResponse::default().with_name(name).with_partition_responses(vec![said]);
    framed(id, &ProduceResponse::default().with_responses(vec![topic]), version)
}
