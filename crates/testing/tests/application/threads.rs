//! The same on threads of the operating system, in real time.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use headwater_client::{
    Admin, ClientConfig, ClientError, ClientSupplier, Consumer, GroupMembership, Producer, RecordBatch, StartAt,
};
use headwater_client_memory::{Cluster, ClusterConfig, Waiting};
use headwater_record::{Clock, Deadline, Headers, Timestamp, Topic, TopicPartition};
use headwater_runtime::{
    Builder, CloseOptions, ErrorKind, KafkaStreams, NoDefault, State, SystemClock, UncaughtResponse,
};
use headwater_topology::Topology;

use crate::graph::{word_count, word_count_with};
use crate::recorder::Recorder;
use crate::world::{APPLICATION, memory_stores};

/// Only ends a test that hangs.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) fn cluster() -> Cluster {
    let config = ClusterConfig { waiting: Waiting::Block, ..ClusterConfig::default() };
    let cluster = Cluster::with(Arc::new(SystemClock), config);
    cluster.create_topic("lines", 4).unwrap();
    cluster.create_topic("counts", 4).unwrap();
    cluster
}

pub(crate) fn builder(cluster: &Cluster) -> Builder<NoDefault> {
    builder_of(word_count(), cluster)
}

pub(crate) fn builder_of(topology: Topology, cluster: &Cluster) -> Builder<NoDefault> {
    KafkaStreams::<NoDefault>::builder(topology)
        .application_id(APPLICATION)
        .on(cluster)
        .stores(memory_stores())
        .set("dsl.store.suppliers.class", "in_memory")
        .set("commit.interval.ms", "50")
        .set("poll.ms", "20")
}

pub(crate) fn feed(cluster: &Cluster, line: &str) {
    cluster.produce(&Topic::from("lines"), None, Some(line.as_bytes()), Timestamp::UNKNOWN, &Headers::new()).unwrap();
}

/// Reads counts as they come.
pub(crate) struct Counts {
    consumer: Box<dyn Consumer>,
    counts: BTreeMap<String, i64>,
}

impl Counts {
    pub(crate) fn of(cluster: &Cluster) -> Self {
        let mut consumer = cluster.consumer(&ClientConfig::new()).unwrap();
        let all: Vec<_> =
            (0..4).map(|partition| (TopicPartition::new("counts", partition), StartAt::Beginning)).collect();
        consumer.assign(&all).unwrap();
        Counts { consumer, counts: BTreeMap::new() }
    }

    pub(crate) fn wait_until(&mut self, done: impl Fn(&BTreeMap<String, i64>) -> bool) {
        let until = Deadline::after(SystemClock.now(), PATIENCE);
        let mut batches: Vec<Box<dyn RecordBatch>> = Vec::new();
        while !done(&self.counts) {
            assert!(!until.passed(SystemClock.now()), "it never came to it: {:?}", self.counts);
            self.consumer.poll(until, &mut batches).unwrap();
            for mut batch in batches.drain(..) {
                while let Some(record) = batch.head() {
                    let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
                    self.counts.insert(text(record.key), text(record.value).parse().unwrap());
                    batch.advance().unwrap();
                }
            }
        }
    }
}

pub(crate) fn wait_for_state(states: &Receiver<State>, wanted: State) {
    while states.recv_timeout(PATIENCE).expect("the state comes") != wanted {}
}

#[test]
fn an_application_counts_on_its_threads_and_closes() {
    let cluster = cluster();
    let (tell, states) = channel();
    let tell = Mutex::new(tell);
    let streams = builder(&cluster)
        .threads(3)
        .state_listener(move |_, to| tell.lock().unwrap().send(to).unwrap_or_default())
        .start()
        .unwrap();
    wait_for_state(&states, State::Running);
    for _ in 0..100 {
        feed(&cluster, "a b a");
    }
    Counts::of(&cluster).wait_until(|counts| counts.get("a") == Some(&200) && counts.get("b") == Some(&100));
    assert_eq!(cluster.group(APPLICATION).members.len(), 3);
    assert_eq!(streams.thread_states().len(), 3);
    streams.close(CloseOptions::default().timeout(PATIENCE)).unwrap();
    assert_eq!(streams.state(), State::NotRunning);
    assert!(cluster.group(APPLICATION).members.is_empty());
    let committed = cluster.group(APPLICATION).committed;
    let lines = committed.iter().filter(|(partition, _)| partition.topic.as_str() == "lines");
    assert_eq!(lines.map(|(_, committed)| committed.offset.value()).sum::<i64>(), 100);
    streams.wait().unwrap();
}

#[test]
fn dropping_an_application_closes_it() {
    let cluster = cluster();
    let streams = builder(&cluster).start().unwrap();
    feed(&cluster, "x");
    Counts::of(&cluster).wait_until(|counts| counts.contains_key("x"));
    drop(streams);
    assert!(cluster.group(APPLICATION).members.is_empty());
}

#[test]
fn another_instance_takes_over_where_the_first_left_off() {
    let cluster = cluster();
    let mut counts = Counts::of(&cluster);
    let first = builder(&cluster).start().unwrap();
    for _ in 0..50 {
        feed(&cluster, "x");
    }
    counts.wait_until(|counts| counts.get("x") == Some(&50));
    let second = builder(&cluster).start().unwrap();
    for _ in 0..50 {
        feed(&cluster, "x");
    }
    counts.wait_until(|counts| counts.get("x") == Some(&100));
    first.close(CloseOptions::default()).unwrap();
    for _ in 0..50 {
        feed(&cluster, "x");
    }
    counts.wait_until(|counts| counts.get("x") == Some(&150));
    second.close(CloseOptions::default()).unwrap();
}

#[test]
fn a_panic_in_user_code_goes_to_the_handler() {
    let cluster = cluster();
    let (tell, messages) = channel();
    let tell = Mutex::new(tell);
    let streams = builder(&cluster)
        .uncaught_error_handler(move |error| {
            tell.lock().unwrap().send((error.kind(), error.to_string())).unwrap();
            UncaughtResponse::ShutdownClient
        })
        .start()
        .unwrap();
    feed(&cluster, "panic");
    let (kind, message) = messages.recv_timeout(PATIENCE).unwrap();
    assert_eq!(kind, ErrorKind::User);
    assert!(message.contains("the word is panic"), "{message}");
    let error = streams.wait().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::User);
    assert_eq!(streams.state(), State::Error);
    assert!(cluster.group(APPLICATION).members.is_empty(), "it has left all the same");
}

/// Tells a channel that a future may go on.
struct Bell(Mutex<std::sync::mpsc::Sender<()>>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let _ = self.0.lock().unwrap().send(());
    }
}

#[test]
fn the_end_can_be_awaited_without_any_executor() {
    let cluster = cluster();
    let streams = builder(&cluster).start().unwrap();
    let mut closed = pin!(streams.closed());
    let (ring, rings) = channel();
    let waker = Waker::from(Arc::new(Bell(Mutex::new(ring))));
    let mut context = Context::from_waker(&waker);
    assert!(closed.as_mut().poll(&mut context).is_pending());
    streams.begin_close(CloseOptions::default());
    rings.recv_timeout(PATIENCE).expect("it is woken");
    assert!(matches!(closed.as_mut().poll(&mut context), Poll::Ready(Ok(()))));
}

#[test]
fn a_listener_may_close_the_application() {
    let cluster = cluster();
    let handle: Arc<Mutex<Option<KafkaStreams>>> = Arc::default();
    let own = Arc::clone(&handle);
    let (tell, states) = channel();
    let tell = Mutex::new(tell);
    let streams = builder(&cluster)
        .state_listener(move |_, to| {
            tell.lock().unwrap().send(to).unwrap_or_default();
            if to == State::Running
                && let Some(streams) = &*own.lock().unwrap()
            {
                streams.close(CloseOptions::default()).unwrap();
            }
        })
        .start()
        .unwrap();
    *handle.lock().unwrap() = Some(streams);
    // When it ran before the handle was there, it is closed here.
    let seen = states.recv_timeout(PATIENCE).unwrap();
    assert_eq!(seen, State::Rebalancing);
    wait_for_state(&states, State::Running);
    handle.lock().unwrap().as_ref().unwrap().begin_close(CloseOptions::default());
    wait_for_state(&states, State::NotRunning);
}

#[test]
fn an_application_may_be_sent_to_other_threads() {
    fn check<T: Send + Sync>() {}
    check::<KafkaStreams>();
}

/// Only ends a test that hangs, before a drop that waits would return by itself.
const SHORTER_PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn after_a_close_that_waited_in_vain_nothing_waits_again() {
    let cluster = cluster();
    let ((tell, started), (go, goes), (tell_end, ended)) = (channel(), channel::<()>(), channel());
    let (tell, goes, tell_end) = (Mutex::new(tell), Mutex::new(goes), Mutex::new(tell_end));
    let topology = word_count_with(move |_| {
        tell.lock().unwrap().send(()).unwrap();
        let heard = goes.lock().unwrap().recv_timeout(SHORTER_PATIENCE).is_ok();
        tell_end.lock().unwrap().send(heard).unwrap();
    });
    let streams = builder_of(topology, &cluster).start().unwrap();
    feed(&cluster, "x");
    started.recv_timeout(PATIENCE).unwrap();
    let error = streams.close(CloseOptions::default().timeout(Duration::from_millis(1))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("PENDING_SHUTDOWN"), "{error}");
    let again = streams.close(CloseOptions::default().timeout(Duration::from_millis(1))).unwrap_err();
    assert_eq!(again.to_string(), error.to_string(), "it may be asked again");
    drop(streams);
    go.send(()).unwrap();
    assert!(ended.recv_timeout(PATIENCE).unwrap(), "the record was under way when all had returned");
}

#[test]
fn close_waits_no_longer_than_told_for_a_listener_that_hears_of_the_end() {
    let cluster = cluster();
    let ((go, goes), (tell_end, ended)) = (channel::<()>(), channel());
    let (goes, tell_end) = (Mutex::new(goes), Mutex::new(tell_end));
    let streams = builder(&cluster)
        .state_listener(move |_, to| {
            if to == State::NotRunning {
                let heard = goes.lock().unwrap().recv_timeout(SHORTER_PATIENCE).is_ok();
                tell_end.lock().unwrap().send(heard).unwrap();
            }
        })
        .start()
        .unwrap();
    let error = loop {
        // The first ones may come before the end.
        match streams.close(CloseOptions::default().timeout(Duration::from_millis(100))) {
            Err(error) if streams.state() != State::NotRunning => assert_eq!(error.kind(), ErrorKind::Unavailable),
            other => break other.unwrap_err(),
        }
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    drop(streams);
    go.send(()).unwrap();
    assert!(ended.recv_timeout(PATIENCE).unwrap(), "the listener was busy when all had returned");
}

/// Counts the producers: each stream thread has one.
#[derive(Clone, Debug)]
struct Counting(Cluster, Arc<AtomicUsize>);

impl ClientSupplier for Counting {
    fn clock(&self) -> Arc<dyn Clock> {
        ClientSupplier::clock(&self.0)
    }

    fn consumer(&self, config: &ClientConfig) -> Result<Box<dyn Consumer>, ClientError> {
        self.0.consumer(config)
    }

    fn producer(&self, config: &ClientConfig) -> Result<Box<dyn Producer>, ClientError> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.producer(config)
    }

    fn admin(&self, config: &ClientConfig) -> Result<Box<dyn Admin>, ClientError> {
        self.0.admin(config)
    }

    fn membership(&self, group: &str, config: &ClientConfig) -> Result<Box<dyn GroupMembership>, ClientError> {
        self.0.membership(group, config)
    }
}

#[test]
fn closing_puts_nobody_in_the_place_of_a_thread_that_failed() {
    let (cluster, producers) = (cluster(), Arc::new(AtomicUsize::new(0)));
    let (tell, failed) = channel();
    let tell = Mutex::new(tell);
    let streams = builder(&cluster)
        .on(&Counting(cluster.clone(), Arc::clone(&producers)))
        .set("retry.backoff.ms", "3600000")
        .uncaught_error_handler(move |error| {
            tell.lock().unwrap().send(error.to_string()).unwrap();
            UncaughtResponse::ReplaceThread
        })
        .start()
        .unwrap();
    feed(&cluster, "panic");
    let error = failed.recv_timeout(PATIENCE).unwrap();
    assert!(error.contains("the word is panic"), "{error}");
    streams.close(CloseOptions::default().timeout(PATIENCE)).unwrap();
    assert_eq!(streams.state(), State::NotRunning);
    assert_eq!(producers.load(Ordering::SeqCst), 1, "only the one that failed");
}

#[test]
fn records_do_not_wait_for_answers_to_other_questions() {
    for question in ["delete_records", "describe_topics"] {
        let cluster = cluster();
        let recorder = Recorder::of(&cluster);
        let builder = builder(&cluster).on(&recorder);
        let streams =
            builder.set("repartition.purge.interval.ms", "1").set("metadata.max.age.ms", "100").start().unwrap();
        let mut counts = Counts::of(&cluster);
        let mut fed = 0;
        let mut feed_and_count = |n: i64| {
            (0..n).for_each(|_| feed(&cluster, "a"));
            fed += n;
            counts.wait_until(|counts| counts.get("a") == Some(&fed));
        };
        feed_and_count(1);
        recorder.hold(question);
        while !recorder.holds() {
            feed_and_count(1);
        }
        feed_and_count(100);
        assert!(recorder.holds(), "{question} has no answer yet");
        recorder.let_go();
        streams.close(CloseOptions::default().timeout(PATIENCE)).unwrap();
    }
}
