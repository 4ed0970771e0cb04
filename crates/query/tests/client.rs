//! The client against several instances that come and go, and against servers that answer otherwise.
#![cfg(test)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt;
use headwater::Error;
use headwater::prelude::*;
use headwater::query::wire::Role;
use headwater::query::{Client, KeyText, RemoteKeyValueStore};
use headwater::record::{Offset, Topic};
use headwater::runtime::ErrorKind;
use headwater::runtime::query::{Position, VersionedRecord};
use serde_json::json;
use support::{Instance, KEYS, PARTITIONS, PATIENCE, World, get, key, wait_for, wait_for_all};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn client(seed: &str) -> Client {
    Client::builder().seed(seed).unwrap().deadline(PATIENCE).build().unwrap()
}

async fn counts(store: &RemoteKeyValueStore<String, i64>) -> BTreeMap<String, i64> {
    let all: Vec<(String, i64)> = store.all().try_collect().await.unwrap();
    let (found, counts) = (all.len(), BTreeMap::from_iter(all));
    assert_eq!(found, counts.len(), "no key comes twice");
    counts
}

fn each(count: i64) -> BTreeMap<String, i64> {
    (0..KEYS).map(|number| (key(number), count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_seed_finds_everything_wherever_it_is() {
    let world = World::new();
    let (first, second, third) = (world.start().await, world.start().await, world.start().await);
    world.feed_all();
    wait_for_all(&[&first.host, &second.host, &third.host]).await;
    let client = client(&first.host);
    let store = client.key_value::<String, i64>("counts");
    let mut asked = BTreeSet::new();
    for number in 0..KEYS {
        let answer = store.ask(&key(number)).await.unwrap();
        assert_eq!((answer.value, answer.source.role), (Some(60), Role::Active));
        assert_eq!(answer.timestamp, Some((59 * KEYS + number) * 10));
        asked.insert(answer.host.to_string());
    }
    assert_eq!(asked, [&first, &second, &third].map(|instance| instance.host.clone()).into());
    assert_eq!(store.get(&"k99".to_owned()).await.unwrap(), None);
    assert_eq!(counts(&store).await, each(60));

    let paged = Client::builder().seed(&second.host).unwrap().page_entries(1).deadline(PATIENCE).build().unwrap();
    let store = paged.key_value::<String, i64>("counts");
    assert_eq!(counts(&store).await, each(60));
    let range = store.range("k03".to_owned().."k06".to_owned()).try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(BTreeMap::from_iter(range).into_keys().collect::<Vec<_>>(), ["k03", "k04", "k05"]);
    let prefix = store.prefix_scan(&"k1".to_owned()).try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(prefix.len(), 10);
    look_at_other_kinds(&paged).await;

    let mistakes = [
        (client.key_value::<String, i64>("count").get(&key(1)).await.unwrap_err(), ErrorKind::Config),
        (client.key_value::<String, bool>("counts").get(&key(1)).await.unwrap_err(), ErrorKind::Data),
        (client.window::<String, i64>("counts").fetch(&key(1), 0).await.unwrap_err(), ErrorKind::User),
        (store.get(&String::new()).await.unwrap_err(), ErrorKind::User),
    ];
    for (error, kind) in mistakes {
        assert_eq!(error.kind(), kind, "{error}");
    }
}

async fn look_at_other_kinds(client: &Client) {
    let (key, windows) = (key(7), client.window::<String, i64>("windows"));
    assert_eq!(windows.fetch(&key, 3_000).await.unwrap(), Some(5));
    assert_eq!(windows.fetch(&key, 3_001).await.unwrap(), None);
    let starts = |found: Vec<(Windowed<String>, i64)>| -> Vec<i64> {
        found.iter().map(|(windowed, _)| windowed.start().millis()).collect()
    };
    let found = windows.fetch_windows(&key, 1_000, 3_000).try_collect().await.unwrap();
    assert_eq!(starts(found), [1_000, 2_000, 3_000]);
    let found = windows.backward_fetch_windows(&key, 1_000, 3_000).try_collect().await.unwrap();
    assert_eq!(starts(found), [3_000, 2_000, 1_000]);
    let sum = |sum, (_, count): (Windowed<String>, i64)| std::future::ready(Ok::<_, Error>(sum + count));
    assert_eq!(windows.all().try_fold(0, sum).await.unwrap(), 60 * KEYS);
    let sessions = client.session::<String, i64>("sessions");
    assert_eq!(sessions.fetch_session(&key, 70, 70).await.unwrap(), Some(1));
    assert_eq!(sessions.fetch(&key).try_fold(0, sum).await.unwrap(), 60);
    assert_eq!(sessions.find_sessions(&key, 100, 500).try_fold(0, sum).await.unwrap(), 2);
    assert_eq!(sessions.all().try_fold(0, sum).await.unwrap(), 60 * KEYS);

    let (pen, prices) = ("pen".to_owned(), client.versioned::<String, i64>("prices"));
    let latest =
        wait_for("all prices are there", || async { prices.get(&pen).await.unwrap().filter(|price| price.value == 9) });
    assert_eq!(latest.await, VersionedRecord { value: 9, timestamp: Timestamp::from_millis(900), valid_to: None });
    assert_eq!(prices.get_as_of(&pen, 450).await.unwrap().map(|price| price.value), Some(4));
    let versions: Vec<_> = prices.versions(&pen, 250, 450).try_collect().await.unwrap();
    assert_eq!(versions.iter().map(|version| version.value).collect::<Vec<_>>(), [2, 3, 4]);

    let shops = client.key_value::<String, String>("shops");
    let of_shop = wait_for("the shop is there", || async { shops.ask(&"s/2 ?".to_owned()).await.ok() });
    let of_shop = of_shop.await;
    assert_eq!((of_shop.value.as_deref(), of_shop.source.role), (Some("Oslo"), Role::Global));
    let raw = client.store_with("raw", Vec::<u8>::default_serde(), KeyText::base64()).key_value();
    let one = wait_for("the raw key is there", || async { raw.get(&vec![0xfb, 0xff]).await.unwrap() });
    let one: i64 = one.await;
    assert_eq!(one, 1);
}

/// Asks for all keys all the time until it is stopped: nothing fails, and no count goes back.
async fn watch(client: Client, stop: Arc<AtomicUsize>) -> (usize, BTreeMap<Role, usize>) {
    let store = client.key_value::<String, i64>("counts");
    let (mut seen, mut by, mut asked) = (BTreeMap::new(), BTreeMap::new(), 0);
    while stop.load(Ordering::Relaxed) == 0 {
        for key in (0..KEYS).map(key) {
            let answer = store.ask(&key).await.unwrap_or_else(|error| panic!("{key}: {error}"));
            let count = answer.value.unwrap_or_default();
            if answer.source.role == Role::Active {
                let before = seen.insert(key.clone(), count).unwrap_or_default();
                assert!(before <= count, "{key} was {before} and is {count}, says {}", answer.host);
            }
            *by.entry(answer.source.role).or_insert(0) += 1;
            asked += 1;
        }
    }
    (asked, by)
}

async fn close(instance: Instance) {
    let close = move || {
        instance.streams.close(CloseOptions::default().timeout(PATIENCE)).unwrap();
        instance.serving
    };
    tokio::task::spawn_blocking(close).await.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_question_fails_while_one_after_the_other_is_started_anew() {
    let world = World::new();
    let mut instances = vec![world.start().await, world.start().await, world.start().await];
    (0..20 * KEYS).for_each(|n| world.feed(n));
    let client = client(&instances[0].host);
    let store = client.key_value::<String, i64>("counts");
    wait_for("all are counted, and everybody is known", || async {
        let mut hosts = BTreeSet::new();
        for key in (0..KEYS).map(key) {
            hosts.insert(store.ask(&key).await.unwrap().host);
        }
        (counts(&store).await == each(20) && hosts.len() == 3).then_some(())
    })
    .await;
    let stop = Arc::new(AtomicUsize::new(0));
    let watcher = tokio::spawn(watch(client, Arc::clone(&stop)));
    for round in 1..4 {
        let instance = instances.remove(0);
        close(instance).await;
        instances.push(world.start().await);
        (20 * round * KEYS..20 * (round + 1) * KEYS).for_each(|n| world.feed(n));
        wait_for("all are counted", || async { (counts(&store).await == each(20 * (round + 1))).then_some(()) }).await;
    }
    stop.store(1, Ordering::Relaxed);
    let (asked, by) = watcher.await.unwrap();
    assert!(asked > 0 && by.len() == 1, "only active tasks were asked: {by:?}");
    // The seed is long gone; what was learnt since goes on.
    assert_eq!(counts(&store).await, each(80));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_answers_while_nobody_else_does_and_it_lacks_no_more_than_it_may() {
    let world = World::new();
    let (first, second) = (world.start().await, world.start().await);
    (0..20 * KEYS).for_each(|n| world.feed(n));
    let builder = || Client::builder().seed(&first.host).unwrap();
    let store = builder().deadline(PATIENCE).build().unwrap().key_value::<String, i64>("counts");
    wait_for("all are counted", || async { (counts(&store).await == each(20)).then_some(()) }).await;
    wait_for("standbys have all", || async {
        let mut lags = Vec::new();
        for host in [&first.host, &second.host] {
            let (_, found) = get(host, "/v1/lags").await;
            let found = found["lags"].as_array().unwrap().clone();
            lags.extend(found.into_iter().filter(|lag| lag["store"] == "counts"));
        }
        (lags.len() == PARTITIONS as usize && lags.iter().all(|lag| lag["lag"] == 0)).then_some(())
    })
    .await;
    // The other's server ends, and its tasks go on: to the group nothing has changed.
    second.serving.stop().await;
    let stale = builder().max_staleness(0).deadline(PATIENCE).build().unwrap();
    let store = stale.key_value::<String, i64>("counts");
    let mut by = BTreeMap::new();
    for number in 0..KEYS {
        let answer = store.ask(&key(number)).await.unwrap();
        assert_eq!((answer.value, answer.host.to_string()), (Some(20), first.host.clone()));
        *by.entry(answer.source.role).or_insert(0) += 1;
    }
    assert_eq!(by.into_keys().collect::<Vec<_>>(), [Role::Active, Role::Standby]);
    assert_eq!(counts(&store).await, each(20));
    // Whoever may not ask a standby waits for the active task in vain.
    let strict = builder().deadline(Duration::from_millis(300)).build().unwrap().key_value::<String, i64>("counts");
    let mut failed = 0;
    for number in 0..KEYS {
        match strict.get(&key(number)).await {
            Ok(count) => assert_eq!(count, Some(20)),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                assert!(error.to_string().contains("within 300 ms"), "{error}");
                failed += 1;
            }
        }
    }
    assert!(0 < failed && failed < KEYS, "{failed}");
}

/// Where the last record of this key lies.
fn written(world: &World, key: &str) -> Position {
    let records = world.cluster.records(&Topic::from("numbers"));
    let of_key = records.iter().filter(|(_, record)| record.key.as_deref() == Some(key.as_bytes()));
    let (partition, record) = of_key.max_by_key(|(_, record)| record.offset).unwrap();
    Position::default().with_component("numbers", *partition, record.offset)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_written_reads_what_came_of_it() {
    let mut world = World::new();
    // So long that a reader who did not wait would see nothing of it.
    world.commit_interval_ms = 1_500;
    let (first, _second) = (world.start().await, world.start().await);
    (0..KEYS).for_each(|n| world.feed(n));
    let builder = || Client::builder().seed(&first.host).unwrap();
    // Copies would do, were it not for the bound.
    let client = builder().max_staleness(u64::MAX >> 1).deadline(PATIENCE).build().unwrap();
    let store = client.key_value::<String, i64>("counts");
    wait_for("all are counted", || async { (counts(&store).await == each(1)).then_some(()) }).await;
    for round in 1..4 {
        for number in 0..KEYS {
            world.feed(round * KEYS + number);
        }
        for number in (0..KEYS).step_by(3) {
            let (key, bound) = (key(number), written(&world, &key(number)));
            let answer = store.clone().at_least(&bound).ask(&key).await.unwrap();
            assert_eq!((answer.value, answer.source.role), (Some(round + 1), Role::Active), "{bound}");
            assert_eq!(
                answer.source.position.clone().merge(&bound),
                answer.source.position,
                "it has seen at least that"
            );
        }
        let all = (0..KEYS).map(|number| written(&world, &key(number)));
        let bound = all.fold(Position::default(), |all, one| all.merge(&one));
        let mut entries = store.clone().at_least(&bound).all();
        let mut found = BTreeMap::new();
        while let Some(entry) = entries.next().await {
            found.extend([entry.unwrap()]);
        }
        assert_eq!(found, each(round + 1));
        assert_eq!(entries.position(), bound, "what was read had seen it all");
    }
    // What nobody has written yet is not waited for longer than the deadline.
    let (at, _) = written(&world, &key(0)).components().next().unwrap();
    let records = world.cluster.records(&Topic::from("numbers"));
    let offsets = records.iter().filter(|(partition, _)| *partition == at.partition).map(|(_, record)| record.offset);
    let (bound, last) = (Position::default(), offsets.max().unwrap());
    let ahead = bound.with_component(at.topic.clone(), at.partition, Offset::new(last.value() + 1));
    let strict = builder().deadline(Duration::from_secs(3)).build().unwrap();
    let error = strict.key_value::<String, i64>("counts").at_least(&ahead).get(&key(0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(&format!("has seen {at}: {last}, and is not up to {ahead} yet")), "{error}");
    // Nor what nobody can know.
    let shops = strict.key_value::<String, String>("shops").at_least(&ahead);
    let error = shops.get(&"s1".to_owned()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::User, "{error}");
    let (status, answer) = get(&first.host, "/v1/stores/counts/keys/k00?at_least=numbers").await;
    assert_eq!((status, &answer["error"]["code"]), (400, &json!("bad_request")), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_copy_has_applied_and_not_committed_is_lacking() {
    let mut world = World::new();
    let first = world.start().await;
    (0..10 * KEYS).for_each(|n| world.feed(n));
    let store = client(&first.host).key_value::<String, i64>("counts");
    wait_for("all are counted", || async { (counts(&store).await == each(10)).then_some(()) }).await;
    world.commit_interval_ms = 600_000;
    let second = world.start().await;
    let ask = |key: String, max_lag: u64| {
        let host = second.host.clone();
        async move { get(&host, &format!("/v1/stores/counts/keys/{key}?max_lag={max_lag}")).await }
    };
    // By key the partition of those that are copies there.
    let mut copies = BTreeMap::new();
    for key in (0..KEYS).map(key) {
        let found = wait_for("it is there", || async {
            let (status, answer) = ask(key.clone(), 1_000_000).await;
            (status == 200).then_some(answer["source"].clone())
        });
        let source = found.await;
        if source["role"] == "standby" {
            copies.insert(key, source["partition"].as_i64().unwrap());
        }
    }
    assert!(!copies.is_empty(), "half of the partitions are active at the first");
    let (partitions, rounds): (BTreeSet<i64>, _) = (copies.values().copied().collect(), AtomicUsize::new(10));
    wait_for("copies have applied what is new, and not committed it", || async {
        let (_, lags) = get(&second.host, "/v1/lags").await;
        let all = lags["lags"].as_array().unwrap().iter().filter(|lag| lag["store"] == "counts" && lag["lag"] == 0);
        let (ahead, done): (Vec<_>, Vec<_>) = all.partition(|lag| lag["committed"].as_i64() < lag["end"].as_i64());
        if done.iter().any(|lag| lag["partition"].as_i64().is_some_and(|partition| partitions.contains(&partition))) {
            // The first questions have them commit once more, at some time.
            let round = rounds.fetch_add(1, Ordering::Relaxed) as i64;
            (round * KEYS..(round + 1) * KEYS).for_each(|n| world.feed(n));
        }
        let ahead: BTreeSet<i64> = ahead.iter().filter_map(|lag| lag["partition"].as_i64()).collect();
        ahead.is_superset(&partitions).then_some(())
    })
    .await;
    for key in copies.into_keys() {
        let (status, answer) = ask(key.clone(), 0).await;
        assert_eq!((status, &answer["error"]["code"]), (503, &json!("unavailable")), "{key}: {answer}");
    }
}

/// Answers every request with `answer` of its path, after a pause, and counts them.
async fn stub(
    pause: Duration,
    answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (host, asked) = (listener.local_addr().unwrap().to_string(), Arc::new(AtomicUsize::new(0)));
    let (answer, counter) = (Arc::new(answer), Arc::clone(&asked));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (answer, counter) = (Arc::clone(&answer), Arc::clone(&counter));
            tokio::spawn(async move {
                let mut request = vec![0; 4_096];
                let length = stream.read(&mut request).await.unwrap_or_default();
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let Some(path) = request.split(' ').nth(1) else { return };
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(pause).await;
                let (status, body) = answer(path);
                let head =
                    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            });
        }
    });
    (host, asked)
}

fn layout(active: &str, standbys: &[&str]) -> String {
    let hosts: BTreeSet<&str> = standbys.iter().copied().chain([active]).collect();
    let partition = json!({ "partition": 0, "active": active, "standbys": standbys });
    json!({ "name": "s", "kind": "key-value", "partitions": [partition], "hosts": hosts }).to_string()
}

fn found(value: i64, role: &str) -> String {
    json!({ "entry": { "key": "a", "value": value }, "source": { "partition": 0, "role": role } }).to_string()
}

#[tokio::test]
async fn nobody_is_called_whom_the_metadata_do_not_name() {
    let (stranger, called) = stub(Duration::ZERO, |_| (200, found(1, "active"))).await;
    let owner = json!({ "partition": 0, "active": stranger, "standbys": [stranger] });
    let error = json!({ "error": { "code": "not_here", "message": "another has it", "owner": owner } }).to_string();
    let told = Arc::new(std::sync::OnceLock::<String>::new());
    let own = Arc::clone(&told);
    let seed = stub(Duration::ZERO, move |path| match path {
        "/v1/stores/s" => (200, layout(own.get().unwrap(), &[])),
        _ => (421, error.clone()),
    });
    let (seed, _) = seed.await;
    told.set(seed.clone()).unwrap();
    let builder = Client::builder().seed(&seed).unwrap().deadline(Duration::from_millis(200));
    let store = builder.build().unwrap().key_value::<String, i64>("s");
    assert_eq!(store.get(&"a".to_owned()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    // Nor one whom a redirect names.
    let location = format!("http://{stranger}/");
    let (seed, _) = stub(Duration::ZERO, move |_| (307, location.clone())).await;
    let builder = Client::builder().seed(&seed).unwrap().deadline(Duration::from_millis(200));
    let store = builder.build().unwrap().key_value::<String, i64>("s");
    assert_eq!(store.get(&"a".to_owned()).await.unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(called.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_standby_is_asked_too_when_the_active_task_takes_long() {
    let (standby, _) = stub(Duration::ZERO, |path| {
        assert_eq!(path, "/v1/stores/s/keys/a?max_lag=5");
        (200, found(2, "standby"))
    })
    .await;
    let named = standby.clone();
    let told = Arc::new(std::sync::OnceLock::<String>::new());
    let own = Arc::clone(&told);
    let (seed, _) = stub(Duration::ZERO, move |_| (200, layout(own.get().unwrap(), &[&named]))).await;
    let (slow, slowly) = stub(Duration::from_mins(1), |_| (200, found(1, "active"))).await;
    told.set(slow).unwrap();
    let builder = Client::builder().seed(&seed).unwrap().attempt_time(PATIENCE).deadline(PATIENCE);
    let hedging = builder.max_staleness(5).hedge_after(Duration::from_millis(20)).build().unwrap();
    let answer = hedging.key_value::<String, i64>("s").ask(&"a".to_owned()).await.unwrap();
    assert_eq!((answer.value, answer.host.to_string()), (Some(2), standby));
    assert_eq!(slowly.load(Ordering::SeqCst), 1, "the active task was asked first");
    let needs = Client::builder().seed("a:1").unwrap().hedge_after(Duration::ZERO).build().unwrap_err();
    assert_eq!(needs.kind(), ErrorKind::Config);
}
