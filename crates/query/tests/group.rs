//! The group as one instance sees it, for as long as somebody looks.
#![cfg(test)]
#![allow(clippy::disallowed_methods, reason = "a test of what comes once a second waits for it")]

mod support;

use std::collections::BTreeMap;
use std::time::Instant;

use headwater::prelude::*;
use headwater::query::Limits;
use serde_json::{Value, json};
use support::{KEYS, PARTITIONS, World, exchange, get, schema, wait_for_all};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;

const TOKEN: &str = "Authorization: Bearer sesame\r\n";

/// Somebody who looks.
struct Look {
    lines: Lines<BufReader<TcpStream>>,
    document: Value,
}

impl Look {
    async fn at(host: &str) -> Self {
        let document = ask(host, "/v1/openapi.json").await.1;
        let mut stream = TcpStream::connect(host).await.unwrap();
        let request = format!("GET /v1/events HTTP/1.1\r\nHost: {host}\r\n{TOKEN}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut lines = BufReader::new(stream).lines();
        let first = lines.next_line().await.unwrap().unwrap();
        assert_eq!(first, "HTTP/1.1 200 OK");
        Look { lines, document }
    }

    /// The group, by hosts, as soon as it `is` what is waited for.
    async fn until(&mut self, what: &str, is: impl Fn(&BTreeMap<String, Value>) -> bool) -> BTreeMap<String, Value> {
        let look = async {
            loop {
                let group = self.next().await;
                if is(&group) {
                    return group;
                }
            }
        };
        tokio::time::timeout(support::PATIENCE, look).await.unwrap_or_else(|_| panic!("it never came to this: {what}"))
    }

    async fn next(&mut self) -> BTreeMap<String, Value> {
        loop {
            let line = self.lines.next_line().await.unwrap().expect("it goes on");
            let Some(data) = line.strip_prefix("data: ") else { continue };
            let group: Value = serde_json::from_str(data).unwrap();
            let described = self.document.pointer("/components/schemas/Group").unwrap();
            assert_eq!(schema::check(&self.document, described, &group, "group"), Vec::<String>::new());
            let members = group["members"].as_array().unwrap().iter();
            return members.map(|member| (member["host"].as_str().unwrap().to_owned(), member.clone())).collect();
        }
    }
}

async fn ask(host: &str, path: &str) -> (u16, Value) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{TOKEN}Connection: close\r\n\r\n");
    let (status, _, body) = exchange(host, &request).await;
    (status, serde_json::from_str(&body).unwrap_or_default())
}

/// So many tasks process on `member`.
fn running(member: &Value) -> usize {
    let threads = member["snapshot"]["threads"].as_array().into_iter().flatten();
    let tasks = threads.flat_map(|thread| thread["tasks"].as_array().unwrap());
    tasks.filter(|task| task["role"] == "active" && task["state"] == "RUNNING").count()
}

/// So many records came to the first source on `member`.
fn taken(member: &Value) -> u64 {
    let threads = member["snapshot"]["threads"].as_array().into_iter().flatten();
    let nodes = threads
        .flat_map(|thread| thread["tasks"].as_array().unwrap())
        .flat_map(|task| task["nodes"].as_array().unwrap());
    nodes.filter(|node| node["name"] == "KSTREAM-SOURCE-0000000000").filter_map(|node| node["taken"].as_u64()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_looks_sees_the_group_until_an_instance_is_gone() {
    let world = World::new();
    let guarded = || world.start_with(|builder| builder.bearer_token("sesame"));
    let (first, second) = (guarded().await, guarded().await);
    let mut look = Look::at(&first.host).await;
    let whole = 3 * PARTITIONS as usize;
    let both = |group: &BTreeMap<String, Value>| {
        let tasks: Vec<usize> = group.values().map(running).collect();
        tasks.len() == 2 && tasks.iter().all(|tasks| *tasks > 0) && tasks.iter().sum::<usize>() == whole
    };
    look.until("both have their tasks", both).await;
    let records = 60 * KEYS;
    (0..records).for_each(|n| world.feed(n));
    let counted = |group: &BTreeMap<String, Value>| group.values().map(taken).sum::<u64>() == records as u64;
    look.until("every record was counted", counted).await;

    // What the other has is asked through this one, by whoever may ask there.
    let through = format!("/v1/hosts/{}/answer?to=/v1/snapshot", second.host);
    assert!(ask(&first.host, &through).await.1["threads"].is_array());
    let (status, refused) = get(&first.host, &through).await;
    assert_eq!((status, &refused["error"]["code"]), (401, &json!("unauthorized")));

    let gone = second.host.clone();
    second.serving.stop().await;
    let silent = |group: &BTreeMap<String, Value>| {
        group.get(&gone).is_some_and(|member| member["snapshot"].is_null() && member["problem"].is_string())
    };
    look.until("it does not answer, and why", silent).await;
    second.streams.close(CloseOptions::default()).unwrap();
    let alone = |group: &BTreeMap<String, Value>| group.len() == 1 && group.values().all(|one| running(one) == whole);
    let left = look.until("it is gone, and the other has everything", alone).await;
    assert_eq!(left.keys().collect::<Vec<_>>(), [&first.host]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_look_than_may_and_nobody_more_often_than_once_a_second() {
    let world = World::new();
    let limits = Limits { lookers: 2, ..Limits::default() };
    let instance = world.start_with(|builder| builder.limits(limits)).await;
    world.feed_all();
    wait_for_all(&[&instance.host]).await;
    let mut looks = [Look::at(&instance.host).await, Look::at(&instance.host).await];
    let (status, refused) = ask(&instance.host, "/v1/events").await;
    assert_eq!((status, &refused["error"]["code"]), (503, &json!("overloaded")));
    looks[0].next().await;
    let began = Instant::now();
    for _ in 0..3 {
        looks[0].next().await;
    }
    assert!(began.elapsed().as_millis() > 1_900, "three came within {:?}", began.elapsed());
    drop(looks);
    support::wait_for("there is room again", || async {
        let mut stream = TcpStream::connect(&instance.host).await.ok()?;
        let request = format!("GET /v1/events HTTP/1.1\r\nHost: {}\r\n\r\n", instance.host);
        stream.write_all(request.as_bytes()).await.ok()?;
        let line = BufReader::new(stream).lines().next_line().await.ok()??;
        (line == "HTTP/1.1 200 OK").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_there_for_all_and_runs_nothing_but_its_own() {
    let world = World::new();
    let instance = world.start_with(|builder| builder.bearer_token("sesame")).await;
    let (status, head, page) = page(&instance.host, "/").await;
    assert_eq!(status, 200);
    assert!(head.contains("content-security-policy: default-src 'none'; script-src 'self'"), "{head}");
    let linked: Vec<&str> = page.split(['"']).filter(|part| part.starts_with("/page/")).collect();
    assert!(linked.len() >= 3, "{linked:?}");
    assert!(
        !page.contains("://") && !page.contains(" style=") && !page.contains(" onclick="),
        "nothing is from elsewhere"
    );
    let mut found: Vec<String> = linked.into_iter().map(str::to_owned).collect();
    let mut seen = std::collections::BTreeSet::new();
    while let Some(path) = found.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let (status, head, text) = self::page(&instance.host, &path).await;
        assert_eq!(status, 200, "{path}");
        assert!(head.contains("content-type: text/") || head.contains("content-type: image/"), "{head}");
        assert!(!text.contains("innerHTML") && !text.contains("insertAdjacentHTML"), "{path} writes text as text");
        let imported =
            text.lines().filter_map(|line| line.split_once("from \"./")).filter_map(|(_, rest)| rest.split('"').next());
        found.extend(imported.map(|file| format!("/page/{file}")));
    }
    assert!(seen.len() > 10, "{seen:?}");
}

async fn page(host: &str, path: &str) -> (u16, String, String) {
    exchange(host, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await
}
