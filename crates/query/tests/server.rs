//! Every route against what was fed, and every answer against the server's own description.
#![cfg(test)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use headwater::prelude::*;
use headwater::query::QueryServer;
use headwater::runtime::ErrorKind;
use serde_json::{Value, json};
use support::{KEYS, PARTITIONS, World, exchange, get, get_text, key, schema, wait_for, wait_for_all};

/// Asks, and sees that the answer is as the description says.
struct Asker {
    host: String,
    document: Value,
    asked: std::cell::RefCell<BTreeSet<String>>,
}

impl Asker {
    async fn new(host: &str) -> Self {
        let (status, document) = get(host, "/v1/openapi.json").await;
        assert_eq!((status, &document["openapi"]), (200, &json!("3.1.0")));
        let asked = std::cell::RefCell::new(BTreeSet::from(["/v1/openapi.json".to_owned()]));
        Asker { host: host.to_owned(), document, asked }
    }

    async fn ask(&self, path: &str) -> (u16, Value) {
        let (status, body) = get(&self.host, path).await;
        self.check(path, status, &body);
        (status, body)
    }

    async fn ok(&self, path: &str) -> Value {
        let (status, body) = self.ask(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// The status and code of an answer that is none.
    async fn refused(&self, path: &str) -> (u16, String) {
        let (status, body) = self.ask(path).await;
        assert!(body["error"]["message"].as_str().is_some_and(|message| message.len() > 10), "{path}: {body}");
        (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
    }

    fn check(&self, path: &str, status: u16, body: &Value) {
        let template = self.template(path);
        self.asked.borrow_mut().insert(template.clone());
        let responses = &self.document["paths"][&template]["get"]["responses"];
        let response = responses.get(status.to_string()).unwrap_or(&responses["default"]);
        let response = match response["$ref"].as_str() {
            Some(pointer) => self.document.pointer(&pointer[1..]).unwrap(),
            None => response,
        };
        let schema = &response["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{path}: {status} has no schema");
        let wrong = schema::check(&self.document, schema, body, "body");
        assert!(wrong.is_empty(), "{path}: {status} {body}: {wrong:?}");
    }

    /// The path of the description that is `path`'s.
    fn template(&self, path: &str) -> String {
        let asked: Vec<&str> = path.split('?').next().unwrap().split('/').collect();
        let fits = |template: &&String| {
            let parts: Vec<&str> = template.split('/').collect();
            parts.len() == asked.len()
                && parts.iter().zip(&asked).all(|(part, asked)| part == asked || part.starts_with('{'))
        };
        let mut found: Vec<&String> = self.document["paths"].as_object().unwrap().keys().filter(fits).collect();
        // What is spelt out goes before what is a parameter.
        found.sort_by_key(|template| template.matches('{').count());
        (*found.first().unwrap_or_else(|| panic!("{path} is not described"))).clone()
    }

    /// All entries, page by page.
    async fn pages(&self, path: &str, limit: usize) -> Vec<Value> {
        let (mut entries, mut after) = (Vec::new(), String::new());
        let with = if path.contains('?') { '&' } else { '?' };
        loop {
            let page = self.ok(&format!("/v1/stores/{path}{with}limit={limit}{after}")).await;
            let found = page["entries"].as_array().unwrap();
            assert!(found.len() <= limit);
            entries.extend(found.iter().cloned());
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return entries,
            }
        }
    }
}

fn key_of(entry: &Value) -> String {
    entry["key"].as_str().unwrap().to_owned()
}

fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort();
    all
}

async fn key_value(asker: &Asker) {
    let found = asker.ok("/v1/stores/counts/keys/k03").await;
    let owner = asker.ok("/v1/stores/counts/keys/k03/owner").await;
    assert_eq!((&owner["active"], &owner["standbys"]), (&json!(asker.host), &json!([])));
    let position = found["source"]["position"].as_str().unwrap();
    let (at, last) = position.rsplit_once(':').unwrap();
    assert_eq!(at, format!("numbers-{}", owner["partition"]));
    let source = json!({ "partition": owner["partition"], "role": "active", "position": position });
    let entry = json!({ "key": "k03", "value": 60, "timestamp": (59 * KEYS + 3) * 10 });
    assert_eq!(found, json!({ "entry": entry, "source": source }));
    assert_eq!(asker.ok(&format!("/v1/stores/counts/keys/k03?at_least={position}")).await, found);
    let ahead = format!("{at}:{}", last.parse::<i64>().unwrap() + 1);
    for path in ["keys/k03?".to_owned(), format!("keys?partition={}&", owner["partition"])] {
        let (status, answer) = asker.ask(&format!("/v1/stores/counts/{path}at_least={ahead}")).await;
        assert_eq!((status, &answer["error"]["code"]), (503, &json!("unavailable")), "{answer}");
    }
    let (status, absent) = asker.ask("/v1/stores/counts/keys/k99").await;
    assert_eq!(
        (status, &absent["error"]["code"], &absent["error"]["source"]["role"]),
        (404, &json!("unknown_key"), &json!("active"))
    );

    let all: Vec<String> = (0..KEYS).map(key).collect();
    let whole: Vec<String> = asker.pages("counts/keys", 1_000).await.iter().map(key_of).collect();
    assert_eq!(sorted(whole.clone()), all);
    for limit in [1, 3, 7] {
        assert_eq!(asker.pages("counts/keys", limit).await.iter().map(key_of).collect::<Vec<_>>(), whole, "{limit}");
    }
    let (mut forward, mut backward) = (Vec::new(), Vec::new());
    for partition in 0..PARTITIONS {
        let path = format!("counts/keys?partition={partition}");
        let one: Vec<String> = asker.pages(&path, 2).await.iter().map(key_of).collect();
        assert!(one.is_sorted());
        let mut reversed: Vec<String> =
            asker.pages(&format!("{path}&reverse=true"), 2).await.iter().map(key_of).collect();
        reversed.reverse();
        forward.extend(one);
        backward.extend(reversed);
    }
    assert_eq!((&forward, &backward), (&whole, &whole));
    let range: Vec<String> = asker.pages("counts/keys?from=k05&to=k08", 1).await.iter().map(key_of).collect();
    assert_eq!(sorted(range), ["k05", "k06", "k07", "k08"]);
    for limit in [1, 100] {
        let prefix: Vec<String> = asker.pages("counts/keys?prefix=k1", limit).await.iter().map(key_of).collect();
        assert_eq!(sorted(prefix), (10..20).map(key).collect::<Vec<_>>());
    }

    assert_eq!(asker.ok("/v1/stores/raw/keys/-_8").await["entry"], json!({ "key": "-_8", "value": 1, "timestamp": 1 }));
    // The prefix of one byte, 0xfb.
    assert_eq!(sorted(asker.pages("raw/keys?prefix=-w", 1).await.iter().map(key_of).collect()), ["-_8", "-wA"]);
    let shop = asker.ok("/v1/stores/shops/keys/s%2F2%20%3F").await;
    assert_eq!(shop["entry"]["value"], "Oslo");
    assert_eq!(shop["source"], json!({ "role": "global" }));
    assert_eq!(asker.pages("shops/keys", 1).await.len(), 2);
}

async fn windows(asker: &Asker) {
    let starts = |entries: &[Value]| entries.iter().map(|entry| entry["start"].as_i64().unwrap()).collect::<Vec<_>>();
    let expected: Vec<i64> = (0..12).map(|second| second * 1_000).collect();
    for limit in [1, 5, 100] {
        let found = asker.pages("windows/keys/k07/windows", limit).await;
        assert_eq!(starts(&found), expected);
        assert!(
            found.iter().all(|entry| entry["value"] == 5 && entry["end"] == entry["start"].as_i64().unwrap() + 1_000)
        );
        let mut backward = starts(&asker.pages("windows/keys/k07/windows?reverse=true", limit).await);
        backward.reverse();
        assert_eq!(backward, expected);
    }
    assert_eq!(starts(&asker.pages("windows/keys/k07/windows?from=1000&to=2500", 1).await), [1_000, 2_000]);
    assert_eq!(asker.ok("/v1/stores/windows/keys/k07/windows/3000").await["entry"]["value"], 5);
    assert_eq!(asker.refused("/v1/stores/windows/keys/k07/windows/3001").await, (404, "unknown_key".to_owned()));
    let place = |entry: &Value| (key_of(entry), entry["start"].as_i64().unwrap());
    let whole: Vec<_> = asker.pages("windows/windows", 1_000).await.iter().map(place).collect();
    assert_eq!(whole.len(), 12 * KEYS as usize);
    for limit in [1, 11] {
        assert_eq!(asker.pages("windows/windows", limit).await.iter().map(place).collect::<Vec<_>>(), whole);
    }
    let some = asker.pages("windows/windows?from_key=k03&to_key=k04&from=1000&to=3000", 2).await;
    let some = sorted(some.iter().map(place).collect());
    let expected = ["k03", "k04"].iter().flat_map(|key| [1_000, 2_000, 3_000].map(|start| ((*key).to_owned(), start)));
    assert_eq!(some, expected.collect::<Vec<_>>());
}

async fn sessions_and_versions(asker: &Asker) {
    for limit in [1, 7, 100] {
        let found = asker.pages("sessions/keys/k07/sessions", limit).await;
        assert_eq!(found.len(), 60);
        assert!(found.iter().all(|entry| entry["value"] == 1 && entry["start"] == entry["end"]));
        assert_eq!(asker.pages("sessions/sessions", limit * 13).await.len(), 60 * KEYS as usize);
    }
    assert_eq!(asker.pages("sessions/keys/k07/sessions?from=100&to=500", 1).await.len(), 2);
    assert_eq!(asker.ok("/v1/stores/sessions/keys/k07/sessions/70/70").await["entry"]["value"], 1);
    assert_eq!(asker.refused("/v1/stores/sessions/keys/k07/sessions/70/71").await, (404, "unknown_key".to_owned()));

    let latest = asker.ok("/v1/stores/prices/keys/pen").await;
    assert_eq!(latest["entry"], json!({ "key": "pen", "value": 9, "timestamp": 900 }));
    let then = asker.ok("/v1/stores/prices/keys/pen?as_of=450").await;
    assert_eq!(then["entry"], json!({ "key": "pen", "value": 4, "timestamp": 400, "valid_to": 500 }));
    let values = |entries: Vec<Value>| entries.iter().map(|entry| entry["value"].as_i64().unwrap()).collect::<Vec<_>>();
    for limit in [1, 2, 100] {
        assert_eq!(values(asker.pages("prices/keys/pen/versions?from=250&to=450", limit).await), [2, 3, 4]);
        assert_eq!(values(asker.pages("prices/keys/pen/versions", limit).await), (0..10).collect::<Vec<_>>());
    }
}

async fn status(asker: &Asker) {
    let stores = asker.ok("/v1/stores").await;
    let stores = stores["stores"].as_array().unwrap().iter();
    let kinds: BTreeMap<&str, &str> =
        stores.map(|store| (store["name"].as_str().unwrap(), store["kind"].as_str().unwrap())).collect();
    let expected = [("counts", "key-value"), ("prices", "versioned"), ("raw", "key-value"), ("sessions", "session")];
    assert_eq!(kinds, expected.into_iter().chain([("shops", "key-value"), ("windows", "window")]).collect());
    let layout = asker.ok("/v1/stores/counts").await;
    let active = layout["partitions"].as_array().unwrap().iter().map(|owner| owner["active"].as_str());
    assert_eq!(active.collect::<Vec<_>>(), vec![Some(asker.host.as_str()); PARTITIONS as usize]);
    assert_eq!(asker.ok("/v1/stores/shops").await["hosts"], json!([asker.host]));
    let hosts = asker.ok("/v1/hosts").await;
    assert_eq!(hosts["hosts"][0]["host"], json!(asker.host));
    assert_eq!(hosts["hosts"][0]["partitions"].as_array().unwrap().len(), 3 * PARTITIONS as usize);
    let health = asker.ok("/v1/health").await;
    assert_eq!(health, json!({ "state": "RUNNING", "live": true, "ready": true, "reasons": [] }));
    asker.ok("/v1/health?for=live").await;
    let threads = asker.ok("/v1/threads").await;
    let tasks = threads["threads"].as_array().unwrap().iter().flat_map(|thread| thread["tasks"].as_array().unwrap());
    let running: Vec<&Value> = tasks.filter(|task| task["role"] == "active" && task["state"] == "RUNNING").collect();
    assert_eq!(running.len(), 3 * PARTITIONS as usize);
    assert!(running.iter().all(|task| task["inputs"].as_array().is_some_and(|inputs| !inputs.is_empty())));
    assert_eq!(asker.ok("/v1/lags").await, json!({ "lags": [] }));
    let (status, text) = get_text(&asker.host, "/v1/topology").await;
    assert_eq!((status, text), (200, support::topology().describe()));
    asker.asked.borrow_mut().insert("/v1/topology".to_owned());
}

async fn sight(asker: &Asker) {
    // Threads tell once a second.
    wait_for("all that was read is told", || async {
        let snapshot = asker.ok("/v1/snapshot").await;
        assert_eq!((&snapshot["application_id"], &snapshot["health"]["ready"]), (&json!("asked"), &json!(true)));
        let tasks = snapshot["threads"][0]["tasks"].as_array()?.iter();
        let nodes = tasks.flat_map(|task| task["nodes"].as_array().unwrap());
        let of_source = nodes.filter(|node| node["name"] == "KSTREAM-SOURCE-0000000000");
        let taken: u64 = of_source.map(|node| node["taken"].as_u64().unwrap()).sum();
        (taken == 60 * KEYS as u64).then_some(())
    })
    .await;

    let graph = asker.ok("/v1/graph").await;
    let parts = graph["parts"].as_array().unwrap();
    let source = &parts[0]["nodes"][0];
    assert_eq!((&source["kind"], &source["topics"]), (&json!("source"), &json!(["numbers"])));
    let below: Vec<&str> = source["children"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let users =
        parts[0]["nodes"].as_array().unwrap().iter().filter(|node| below.contains(&node["name"].as_str().unwrap()));
    let stores: BTreeSet<&str> = users.filter_map(|node| node["stores"][0].as_str()).collect();
    assert_eq!(stores, BTreeSet::from(["counts", "sessions", "windows"]));
    let kinds = graph["stores"].as_array().unwrap().iter();
    let kinds: BTreeMap<_, _> =
        kinds.map(|store| (store["name"].as_str().unwrap(), (&store["kind"], &store["global"]))).collect();
    assert_eq!(kinds["windows"], (&json!("window"), &json!(false)));
    assert_eq!(kinds["shops"], (&json!("key-value"), &json!(true)));
    assert!(graph["stores"].as_array().unwrap().iter().any(|store| store["changelog"] == "asked-counts-changelog"));

    let node = source["name"].as_str().unwrap();
    let explanation = asker.ok(&format!("/v1/explain/{node}")).await;
    assert_eq!(explanation["tasks"].as_array().map(Vec::len), Some(PARTITIONS as usize));
    let text = explanation["text"].as_str().unwrap();
    assert!(text.contains("hands on at once") && text.contains("left out 0"), "{text}");
    assert_eq!(asker.refused("/v1/explain/nobody").await, (404, "unknown_node".to_owned()));

    let settings = asker.ok("/v1/settings").await;
    let settings = settings["settings"].as_array().unwrap();
    assert!(settings.contains(&json!({ "name": "commit.interval.ms", "value": "50" })));
    assert!(settings.contains(&json!({ "name": "sasl.jaas.config" })), "a secret keeps its value to itself");

    let host = &asker.host;
    let through = asker.ok(&format!("/v1/hosts/{host}/answer?to=/v1/stores/counts/keys/k03")).await;
    assert_eq!(through["entry"]["value"], 60);
    let elsewhere = "/v1/hosts/127.0.0.1:1/answer?to=/v1/snapshot";
    assert_eq!(asker.refused(elsewhere).await, (404, "unknown_host".to_owned()));
    for to in ["/", "/v1/events", "/v1/hosts", "/v2/stores", "http://127.0.0.1:1/v1/stores", "/v1/stores/../events"] {
        let path = format!("/v1/hosts/{host}/answer?to={to}");
        assert_eq!(asker.refused(&path).await, (400, "bad_request".to_owned()), "{to}");
    }
}

async fn refusals(asker: &Asker) {
    let bad = (400, "bad_request".to_owned());
    let questions = [
        "counts/keys?limit=many",
        "counts/keys?form=a",
        "counts/keys?partition=4",
        "counts/keys?partition=-1",
        "counts/keys?prefix=k&from=k",
        "counts/keys?after=x",
        "counts/keys/%ff",
        "counts/keys/k03?as_of=1",
        "counts/keys/k03/windows",
        "counts/keys/k03/windows/0",
        "counts/windows",
        "windows/keys",
        "windows/keys/k03",
        "windows/keys/k03/sessions",
        "windows/keys/k03/windows/now",
        "sessions/keys/k03/sessions?reverse=true",
        "prices/keys/pen/versions?reverse=true",
        "prices/keys/pen?as_of=yesterday",
        "raw/keys/%21",
    ];
    for question in questions {
        assert_eq!(asker.refused(&format!("/v1/stores/{question}")).await, bad, "{question}");
    }
    let page = asker.ok("/v1/stores/counts/keys?partition=0&limit=1").await;
    let token = page["next"].as_str().unwrap();
    assert_eq!(asker.refused(&format!("/v1/stores/counts/keys?partition=1&after={token}")).await, bad);
    assert_eq!(asker.refused("/v1/stores/count/keys/k03").await, (404, "unknown_store".to_owned()));
    let host = &asker.host;
    let (status, body) = get(host, "/v2/stores").await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("unknown_path")));
    let post = format!("POST /v1/stores HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let (status, head, _) = exchange(host, &post).await;
    assert!(status == 405 && head.contains("allow: get"), "{status} {head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_as_it_is_described() {
    let world = World::new();
    let instance = world.start().await;
    world.feed_all();
    wait_for_all(&[&instance.host]).await;
    let asker = Asker::new(&instance.host).await;
    wait_for("all prices, shops and raw keys are there", || async {
        let price = get(&asker.host, "/v1/stores/prices/keys/pen").await.1;
        let shops = get(&asker.host, "/v1/stores/shops/keys").await.1;
        let raw = get(&asker.host, "/v1/stores/raw/keys/-wA").await.0;
        let shops = shops["entries"].as_array().map_or(0, Vec::len);
        (price["entry"]["value"] == 9 && shops == 2 && raw == 200).then_some(())
    })
    .await;
    key_value(&asker).await;
    windows(&asker).await;
    sessions_and_versions(&asker).await;
    status(&asker).await;
    sight(&asker).await;
    asker.asked.borrow_mut().insert("/v1/events".to_owned()); // in `group.rs`
    refusals(&asker).await;
    let described: BTreeSet<String> = asker.document["paths"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(*asker.asked.borrow(), described, "every path was asked");

    instance.streams.close(CloseOptions::default()).unwrap();
    let (status, health) = asker.ask("/v1/health?for=live").await;
    assert_eq!((status, &health["live"]), (503, &json!(false)));
    assert_eq!(asker.refused("/v1/stores/counts/keys/k03").await, (503, "unavailable".to_owned()));
    instance.serving.stop().await;
    assert!(tokio::net::TcpStream::connect(&instance.host).await.is_err(), "nobody listens any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_has_is_told_with_its_owner() {
    let world = World::new();
    let (first, second) = (world.start().await, world.start().await);
    world.feed_all();
    wait_for_all(&[&first.host, &second.host]).await;
    let asker = Asker::new(&first.host).await;
    let mut by_first = 0;
    for number in 0..KEYS {
        let key = key(number);
        let owner = asker.ok(&format!("/v1/stores/counts/keys/{key}/owner")).await;
        let path = format!("/v1/stores/counts/keys/{key}");
        let (status, answer) = asker.ask(&path).await;
        if owner["active"] == json!(first.host) {
            assert_eq!((status, &answer["entry"]["value"]), (200, &json!(60)));
            by_first += 1;
        } else {
            assert_eq!((status, &answer["error"]["code"]), (421, &json!("not_here")));
            assert_eq!(answer["error"]["owner"], owner);
            let (status, answer) = get(&second.host, &path).await;
            assert_eq!((status, &answer["entry"]["value"]), (200, &json!(60)));
            // Its standby answers when it may, as soon as it is here.
            let of_standby = format!("{path}?max_lag=1000000");
            let answer = wait_for("the standby answers", || async {
                let (status, answer) = asker.ask(&of_standby).await;
                (status == 200).then_some(answer)
            });
            assert_eq!(answer.await["source"]["role"], json!("standby"));
        }
    }
    assert!(0 < by_first && by_first < KEYS, "both have some: {by_first}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_told_of_stores_that_there_are() {
    let world = World::new();
    let instance = world.start().await;
    let builder = || QueryServer::builder(&instance.streams);
    let counts = StoreHandle::<String, i64>::named("counts");
    let mistakes = [
        (builder().key_value(&StoreHandle::<String, i64>::named("count")), "no store count"),
        (builder().window(&counts), "is no window store"),
        (builder().key_value(&counts).key_value(&counts), "counts twice"),
    ];
    for (mistake, says) in mistakes {
        let error = mistake.build().unwrap_err();
        assert!(error.kind() == ErrorKind::Config && error.to_string().contains(says), "{error}");
    }
    let taken = builder().key_value(&counts).build().unwrap().serve().await.unwrap_err();
    assert!(taken.to_string().contains("cannot listen at 127.0.0.1"), "{taken}");
}
