//! Joins of tables by a foreign key: a conversation of two sides over two topics.
//!
//! The left side ([`subscribe`]) writes what its rows want to hear of into one topic, by the foreign key. The right side
//! ([`receive`]) keeps it, and answers by the row's own key into the other topic, now and when its row changes. Back on the left
//! side ([`resolve`]), an answer is joined with its row if that is still the one that asked.

mod address;
mod hash;
mod receive;
mod resolve;
mod rules;

mod subscribe;
mod wire;

use std::sync::Arc;

use headwater_record::serde::OptionSerde;
use headwater_record::{DefaultSerde, SharedSerde};
use headwater_store::{LoggedHeaders, StoreKind, StoreSpec};
use headwater_topology::node::sink::SinkNode;
use headwater_topology::node::source::{SourceNode, TimestampExtractor};
use headwater_topology::node::{NodeSpec, SinkTopic, SourceTopics};
use headwater_topology::state::{KeyValueState, StoreHandle};
use headwater_topology::{Draft, MakeInlet, NodeId, Port, StoreId, Stream, Wiring, WiringError};

pub(crate) use self::address::ChoosePartition;
use self::address::{Address, Told};
use self::receive::{Answer, Receive, Respond, Subscriptions, Tell};
pub(crate) use self::resolve::Join;
use self::resolve::Resolve;
pub(crate) use self::rules::Rows;
pub(crate) use self::subscribe::Extract;
use self::subscribe::Subscribe;
use self::wire::{
    Parcel, ParcelSerde, Received, ReceivedSerde, Response, ResponseSerde, Subscription, SubscriptionSerde,
};
use super::aggregate::row_format;
use super::missing_serde::{GivenBy, Side, missing_serde};
use super::table_source::table_source;
use super::to::{SinkSpec, add_sink};
use crate::serdes::Serdes;
use crate::{KStream, KTable, Materialized, TableJoined};

/// A foreign-key join that is wanted.
pub(crate) struct ForeignKeyJoin<K, V, K2, V2, W> {
    pub(crate) rows: Rows,
    pub(crate) extract: Extract<K, V, K2>,
    pub(crate) join: Join<V, V2, W>,
}

/// What generated names of the store of subscriptions begin with.
pub(crate) const SUBSCRIPTIONS: &str = "KTABLE-FK-JOIN-SUBSCRIPTION-STATE-STORE-";

/// The names of its parts, in the order in which Java takes numbers for them.
struct Names {
    registration_topic: String,
    send: String,
    registration_sink: String,
    registration_source: String,
    store: String,
    receive: String,
    answer: String,
    tell: String,
    response_topic: String,
    response_sink: String,
    response_source: String,
    resolve: String,
    result: String,
}

impl Names {
    fn new(draft: &Draft, given: Option<&str>) -> Self {
        let name = |suffix, prefix| draft.name_with_suffix_or(given, suffix, prefix);
        let registration = "KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-";
        let processor = "KTABLE-FK-JOIN-SUBSCRIPTION-PROCESSOR-";
        let topic = |name: String| format!("{name}-topic");
        Names {
            registration_topic: topic(name("-subscription-registration", registration)),
            send: name("-subscription-registration-processor", registration),
            registration_sink: name("-subscription-registration-sink", "KTABLE-SINK-"),
            registration_source: name("-subscription-registration-source", "KTABLE-SOURCE-"),
            store: name("-subscription-store", SUBSCRIPTIONS),
            receive: name("-subscription-receive", processor),
            answer: name("-subscription-join-foreign", processor),
            tell: name("-foreign-join-subscription", processor),
            response_topic: topic(name("-subscription-response", "KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-")),
            response_sink: name("-subscription-response-sink", "KTABLE-SINK-"),
            response_source: name("-subscription-response-source", "KTABLE-SOURCE-"),
            resolve: name(
                "-subscription-response-resolver",
                "KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-RESOLVER-PROCESSOR-",
            ),
            result: name("-result", "KTABLE-FK-JOIN-OUTPUT-"),
        }
    }
}

/// The nodes that others must know of.
#[derive(Clone, Copy)]
struct Nodes {
    registration_sink: NodeId,
    registration_source: NodeId,
    subscriptions: StoreId,
    response_sink: NodeId,
}

/// The serdes of both tables.
struct Known<K, V, K2, V2> {
    key: SharedSerde<K>,
    value: SharedSerde<V>,
    other_key: SharedSerde<K2>,
    other_value: SharedSerde<V2>,
}

impl<K, V, K2, V2> Known<K, V, K2, V2> {
    fn of(this: &Serdes<K, V>, other: &Serdes<K2, V2>) -> Option<Self> {
        let ((key, value), (other_key, other_value)) = (this.both()?, other.both()?);
        Some(Known { key, value, other_key, other_value })
    }
}

/// Adds the join of `left` with `right`, whose topologies are the same; `None` when the serdes are not known.
pub(crate) fn foreign_key_join<K: 'static, V: 'static, K2: 'static, V2: 'static, W: Clone + 'static>(
    left: &KTable<K, V>,
    right: &KTable<K2, V2>,
    join: ForeignKeyJoin<K, V, K2, V2, W>,
    options: TableJoined<K, V, K2, V2>,
    materialized: Materialized<K, W>,
) -> Option<KTable<K, W>> {
    let draft = left.draft();
    let TableJoined { name, serdes, other_serdes, partitioner, other_partitioner } = options;
    let names = Names::new(draft, name.as_deref());
    let kept_in = match &materialized.name {
        Some(name) => draft.checked(name),
        None => draft.next_name("KTABLE-FK-JOIN-OUTPUT-STATE-STORE-"),
    };
    let (serdes, other_serdes) = (serdes.or(&left.serdes), other_serdes.or(&right.serdes));
    let Some(known) = Known::of(&serdes, &other_serdes) else {
        draft.mistake(if serdes.is_whole() {
            missing_serde(&names.send, &other_serdes, GivenBy::TableJoined(Side::Other))
        } else {
            missing_serde(&names.send, &serdes, GivenBy::TableJoined(Side::This))
        });
        return None;
    };
    right.old_values.ask(true);
    left.old_values.ask(true);
    let ForeignKeyJoin { rows, extract, join } = join;

    let send = draft.add_node(NodeSpec::processor(names.send.as_str(), [left.node()]));
    let registrations = add_registrations(&Port::new(draft, send), &names, &known);
    let subscriptions = draft.add_store(subscription_store(draft, &names.store));
    let receive = draft.add_node(NodeSpec::processor(names.receive, [registrations.1]));
    draft.connect(receive, subscriptions);
    let answer = draft.add_node(NodeSpec::processor(names.answer, [receive]));
    right.views.connect(draft, answer);
    let tell = draft.add_node(NodeSpec::processor(names.tell, [right.node()]));
    draft.connect(tell, subscriptions);
    draft.add_repartition_topic(&names.response_topic, None);
    let topic = SinkTopic::Named(names.response_topic.clone());
    let response_sink = draft.add_node(NodeSpec::sink(names.response_sink, topic, [answer, tell]));
    let (registration_sink, registration_source) = registrations;
    let nodes = Nodes { registration_sink, registration_source, subscriptions, response_sink };

    listen_as_sender(left, send, nodes, &known, (rows, extract, other_partitioner));
    listen_as_receiver(draft, receive, nodes, &known);
    listen_as_responders(right, (receive, answer, tell), nodes, &known, partitioner);

    let source = add_responses(draft, names.response_source, &names.response_topic, &known);
    let resolve = draft.add_node(NodeSpec::processor(names.resolve, [source]));
    left.views.connect(draft, resolve);
    listen_as_resolver(left, (source, resolve), nodes, &known, (rows, join));
    draft.lies_as(resolve, draft.topics_above(source).union(&draft.topics_above(left.node())).cloned().collect());
    copartition(draft, right.node(), names.registration_topic);
    copartition(draft, left.node(), names.response_topic);

    let serdes = materialized.serdes().or(&Serdes::of(serdes.key, None));
    let resolved: KStream<K, Option<W>> =
        KStream { port: Port::new(draft, resolve), serdes: serdes.optional(), repartition: false };
    Some(table_source(&resolved, Option::as_ref, names.result, &kept_in, &materialized, serdes, None))
}

/// The records of `topic` lie with those that `node` has.
fn copartition(draft: &Draft, node: NodeId, topic: String) {
    draft.copartition(draft.topics_above(node).into_iter().chain([topic]).collect());
}

/// Never cached. Its changelog has headers, even where its rows have none.
fn subscription_store(draft: &Draft, name: &str) -> StoreSpec {
    StoreSpec {
        format: row_format(draft),
        logged_headers: LoggedHeaders::Always,
        ..StoreSpec::new(name, StoreKind::KeyValue)
    }
}

fn subscription_handle(name: &str) -> StoreHandle<Vec<u8>, Subscription> {
    StoreHandle::with(name, Vec::default_serde(), Arc::new(SubscriptionSerde))
}

fn open_subscriptions(wiring: &mut Wiring<'_>, store: StoreId) -> Result<std::rc::Rc<Subscriptions>, WiringError> {
    let handle = subscription_handle(&wiring.store_name(store));
    KeyValueState::open(wiring, store, &handle)
}

/// What serdes are told where there is no topic: the full name of the subscriptions' topic, and what it is about.
fn pseudo_topic(wiring: &Wiring<'_>, nodes: Nodes, what: &str) -> String {
    let topic = wiring.topology().node(nodes.registration_sink).and_then(|spec| spec.sink_topic());
    format!("{}-{what}", topic.unwrap_or_default())
}

/// Sink and source of the subscriptions' topic.
fn add_registrations<K: 'static, V: 'static, K2: 'static, V2: 'static>(
    sent: &Port<Stream<Option<K2>, Parcel>>,
    names: &Names,
    known: &Known<K, V, K2, V2>,
) -> (NodeId, NodeId) {
    let (draft, topic) = (sent.draft(), names.registration_topic.clone());
    draft.add_repartition_topic(&topic, None);
    let foreign_key: SharedSerde<Option<K2>> = Arc::new(OptionSerde(Arc::clone(&known.other_key)));
    let sink = SinkSpec {
        topic: SinkTopic::Named(topic.clone()),
        choose: None,
        serdes: Serdes::given(Arc::clone(&foreign_key), Arc::new(ParcelSerde)),
        partitioner: Some(Arc::new(|_, _, parcel: &Parcel, _, _| parcel.to.map(|to| vec![to]))),
    };
    let sink = add_sink(sent, names.registration_sink.clone(), sink);
    let topics = SourceTopics::Named(vec![topic]);
    let source = draft.add_node(NodeSpec::source(names.registration_source.as_str(), topics, None));
    let key = Arc::clone(&known.key);
    draft.add_source(
        source,
        Arc::new(move |wiring| {
            let topics = wiring.topology().node(source).map(NodeSpec::source_topics).unwrap_or_default();
            let key_topic = format!("{}-pk", topics.first().map_or("", String::as_str));
            let received: SharedSerde<Received<K>> = Arc::new(ReceivedSerde { key: Arc::clone(&key), key_topic });
            SourceNode::wire(wiring, source, Arc::clone(&foreign_key), received, TimestampExtractor::FailOnInvalid)
        }),
    );
    (sink, source)
}

/// The source of the responses' topic.
fn add_responses<K: 'static, V: 'static, K2: 'static, V2: 'static>(
    draft: &Draft,
    name: String,
    topic: &str,
    known: &Known<K, V, K2, V2>,
) -> NodeId {
    let source = draft.add_node(NodeSpec::source(name, SourceTopics::Named(vec![topic.to_owned()]), None));
    let value: SharedSerde<Response<V2>> = Arc::new(ResponseSerde(Arc::clone(&known.other_value)));
    super::add_source(draft, source, Arc::clone(&known.key), value, TimestampExtractor::FailOnInvalid);
    source
}

fn listen_as_sender<K: 'static, V: 'static, K2: 'static, V2: 'static>(
    left: &KTable<K, V>,
    send: NodeId,
    nodes: Nodes,
    known: &Known<K, V, K2, V2>,
    (rows, extract, partitioner): (Rows, Extract<K, V, K2>, Option<ChoosePartition<Option<K2>>>),
) {
    let (key, value, foreign_key) = (Arc::clone(&known.key), Arc::clone(&known.value), Arc::clone(&known.other_key));
    left.port.listen(
        send,
        Arc::new(move |wiring| {
            Ok(Box::new(Subscribe {
                rows,
                latest_only: wiring.takes_versions(send),
                extract: Arc::clone(&extract),
                key: Told::new(&key, pseudo_topic(wiring, nodes, "pk")),
                value: Told::new(&value, pseudo_topic(wiring, nodes, "vh")),
                foreign_key: Told::new(&foreign_key, pseudo_topic(wiring, nodes, "fk")),
                address: Address::of(wiring, nodes.registration_sink, partitioner.as_ref())?,
                parcel: Parcel::default(),
                out: wiring.outlet(send)?,
            }))
        }),
    );
}

fn listen_as_receiver<K: 'static, V: 'static, K2: 'static, V2: 'static>(
    draft: &Draft,
    receive: NodeId,
    nodes: Nodes,
    known: &Known<K, V, K2, V2>,
) {
    let received: Port<Stream<Option<K2>, Received<K>>> = Port::new(draft, nodes.registration_source);
    let foreign_key = Arc::clone(&known.other_key);
    received.listen(
        receive,
        Arc::new(move |wiring| {
            Ok(Box::new(Receive::<K, K2> {
                foreign_key: Told::new(&foreign_key, pseudo_topic(wiring, nodes, "fk")),
                subscriptions: open_subscriptions(wiring, nodes.subscriptions)?,
                store_key: Vec::new(),
                out: wiring.outlet(receive)?,
            }))
        }),
    );
}

type MakeRespond<K, V2> = Arc<dyn Fn(&mut Wiring<'_>, NodeId) -> Result<Respond<K, V2>, WiringError> + Send + Sync>;

fn listen_as_responders<K: 'static, V: 'static, K2: 'static, V2: 'static>(
    right: &KTable<K2, V2>,
    (receive, answer, tell): (NodeId, NodeId, NodeId),
    nodes: Nodes,
    known: &Known<K, V, K2, V2>,
    partitioner: Option<ChoosePartition<K>>,
) {
    let draft = right.draft();
    let (key, value) = (Arc::clone(&known.key), Arc::clone(&known.other_value));
    let respond: MakeRespond<K, V2> = Arc::new(move |wiring, node| {
        let address = Address::of(wiring, nodes.response_sink, partitioner.as_ref())?;
        Ok(Respond {
            key: Told::new(&key, pseudo_topic(wiring, nodes, "pk")),
            value: Told::new(&value, address.topic.clone()),
            address,
            value_bytes: Vec::new(),
            parcel: Parcel::default(),
            out: wiring.outlet(node)?,
        })
    });
    let (views, responds) = (right.views.clone(), Arc::clone(&respond));
    let kept: Port<Stream<Option<K2>, Received<K>>> = Port::new(draft, receive);
    kept.listen(
        answer,
        Arc::new(move |wiring| {
            Ok(Box::new(Answer { table: views.open(wiring, answer)?, respond: responds(wiring, answer)? }))
        }),
    );
    let foreign_key = Arc::clone(&known.other_key);
    right.port.listen(
        tell,
        Arc::new(move |wiring| {
            Ok(Box::new(Tell {
                latest_only: wiring.takes_versions(tell),
                foreign_key: Told::new(&foreign_key, pseudo_topic(wiring, nodes, "fk")),
                subscriptions: open_subscriptions(wiring, nodes.subscriptions)?,
                prefix: Vec::new(),
                respond: respond(wiring, tell)?,
            }))
        }),
    );
    let key = Arc::clone(&known.key);
    let sink: MakeInlet<Stream<K, Parcel>> = Arc::new(move |wiring| {
        wiring.shared_inlet(nodes.response_sink, |wiring| {
            let parcels: SharedSerde<Parcel> = Arc::new(ParcelSerde);
            let to = Arc::new(|_: &str, _: &K, parcel: &Parcel, _: &_, _| parcel.to.map(|to| vec![to]));
            SinkNode::wire(wiring, nodes.response_sink, None, Arc::clone(&key), parcels, Some(to))
        })
    });
    for node in [answer, tell] {
        Port::new(draft, node).listen(nodes.response_sink, Arc::clone(&sink));
    }
}

fn listen_as_resolver<K: 'static, V: 'static, K2: 'static, V2: 'static, W: 'static>(
    left: &KTable<K, V>,
    (source, resolve): (NodeId, NodeId),
    nodes: Nodes,
    known: &Known<K, V, K2, V2>,
    (rows, join): (Rows, Join<V, V2, W>),
) {
    let responses: Port<Stream<K, Response<V2>>> = Port::new(left.draft(), source);
    let (views, value) = (left.views.clone(), Arc::clone(&known.value));
    responses.listen(
        resolve,
        Arc::new(move |wiring| {
            Ok(Box::new(Resolve {
                rows,
                table: views.open(wiring, resolve)?,
                value: Told::new(&value, pseudo_topic(wiring, nodes, "vh")),
                join: Arc::clone(&join),
                out: wiring.outlet(resolve)?,
            }))
        }),
    );
}
