//! Those who ask too much, too slowly or without right are refused, and records are processed all the while.
#![cfg(test)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use headwater::prelude::*;
use headwater::query::{Client, Limits};
use headwater::runtime::ErrorKind;
use serde_json::json;
use support::{KEYS, PATIENCE, World, exchange, get, key, wait_for};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Whether the other side ends the connection without a word, or with a complaint.
async fn is_ended(mut stream: TcpStream) -> bool {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it ends");
    let answer = String::from_utf8_lossy(&answer);
    read.is_err() || answer.is_empty() || answer.starts_with("HTTP/1.1 4")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_brings_no_token_learns_nothing() {
    let world = World::new();
    let local = |builder: headwater::query::Builder| {
        builder.bearer_token("sesame").authorize(|request| !request.uri.path().ends_with("/lags"))
    };
    let instance = world.start_with(local).await;
    let host = &instance.host;
    for path in ["/v1/stores", "/v1/stores/counts/keys/a", "/v1/topology", "/v1/openapi.json", "/v1/health"] {
        let (status, body) = get(host, path).await;
        assert_eq!((status, &body["error"]["code"]), (401, &json!("unauthorized")), "{path}");
    }
    let with = |path: &str, token: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n")
    };
    assert_eq!(exchange(host, &with("/v1/stores", "sesame")).await.0, 200);
    assert_eq!(exchange(host, &with("/v1/stores", "sesamo")).await.0, 401);
    assert_eq!(exchange(host, &with("/v1/lags", "sesame")).await.0, 401, "the hook does not let it pass");
    let builder = || Client::builder().seed(host).unwrap().deadline(PATIENCE);
    let strange = builder().build().unwrap().key_value::<String, i64>("counts").get(&key(1)).await.unwrap_err();
    assert_eq!(strange.kind(), ErrorKind::Config, "{strange}");
    let store = builder().bearer_token("sesame").build().unwrap().key_value::<String, i64>("counts");
    assert_eq!(store.get(&key(1)).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_requests_are_refused_and_records_are_processed_meanwhile() {
    let world = World::new();
    let limits = Limits {
        page_entries: 5,
        page_bytes: 200,
        head_time: Duration::from_millis(300),
        connections: 64,
        ..Limits::default()
    };
    let instance = world.start_with(|builder| builder.limits(limits)).await;
    let host = &instance.host;
    let done = Arc::new(AtomicBool::new(false));
    let hammers: Vec<_> = (0..8).map(|number| tokio::spawn(hammer(host.clone(), number, Arc::clone(&done)))).collect();
    let mut fed = 0;
    for _ in 0..20 {
        (fed..fed + 10 * KEYS).for_each(|n| world.feed(n));
        fed += 10 * KEYS;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let counts = StoreHandle::<String, i64>::named("counts");
    let queries = instance.streams.queries();
    wait_for("all are counted", || async {
        let counts = queries.key_value_store(&counts).ok()?.all().ok()?;
        let counts: Result<Vec<_>, _> = counts.map(|entry| entry.map(|(_, count)| count)).collect();
        (counts.ok()?.iter().sum::<i64>() == fed).then_some(())
    })
    .await;
    done.store(true, Ordering::Relaxed);
    for hammer in hammers {
        assert!(hammer.await.unwrap() > 0);
    }
    assert!(instance.streams.health().live);
    // It answers as before.
    wait_for("there is a place", || async {
        let mut stream = TcpStream::connect(host).await.ok()?;
        stream
            .write_all(b"GET /v1/stores/counts/keys/k01 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await
            .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        answer.starts_with("HTTP/1.1 200").then_some(())
    })
    .await;
}

/// One kind of mischief, again and again; how often it was refused.
async fn hammer(host: String, number: usize, done: Arc<AtomicBool>) -> usize {
    let mut refused = 0;
    while !done.load(Ordering::Relaxed) || refused == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
        refused += usize::from(match number {
            0 => huge_range(&host).await,
            1 => slow(&host, b"GET /v1/stor").await,
            2 => {
                slow(&host, b"GET /v1/stores/counts/keys HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nslow")
                    .await
            }
            3 => slow(&host, b"\x16\x03\x01\x00\xa5\x01\x00\x00").await,
            4 => many_connections(&host).await,
            5 => answers(&host, &format!("/v1/stores/counts/keys/{}", "%2e%2e%2f".repeat(1_000)), &[404]).await,
            6 => match ask(&host, &format!("/v1/stores/counts/keys/{}", "x".repeat(100_000))).await {
                Some((status, body)) => {
                    assert!([414, 431].contains(&status), "{status} {body}");
                    true
                }
                // The connection ended before all was said.
                None => true,
            },
            _ => answers(&host, "/v1/stores/counts/keys?limit=18446744073709551616", &[400]).await,
        });
    }
    refused
}

/// Whether all of a store comes as small pages only; `false` where there was no place to ask.
async fn huge_range(host: &str) -> bool {
    let Some((200, body)) = ask(host, "/v1/stores/counts/keys?from=&to=%F4%8F%BF%BF&limit=1000000000").await else {
        return false;
    };
    let page: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert!(page["entries"].as_array().unwrap().len() <= 5, "{page}");
    true
}

async fn answers(host: &str, path: &str, expected: &[u16]) -> bool {
    let Some((status, body)) = ask(host, path).await else { return false };
    // While tasks are handed out a key's place is not known.
    assert!(expected.contains(&status) || status == 503, "{path:.60}: {status} {body}");
    expected.contains(&status)
}

/// `None`: there was no place to ask.
async fn ask(host: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(host).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// Says this, and nothing more.
async fn slow(host: &str, said: &[u8]) -> bool {
    let Ok(mut stream) = TcpStream::connect(host).await else { return false };
    let _ = stream.write_all(said).await;
    is_ended(stream).await
}

/// More than there may be: those that are too many end at once.
async fn many_connections(host: &str) -> bool {
    let mut open = Vec::new();
    for _ in 0..100 {
        open.extend(TcpStream::connect(host).await);
    }
    let mut ended = 0;
    for stream in open {
        ended += usize::from(is_ended(stream).await);
    }
    ended > 0
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_may_be_are_told_to_come_again() {
    let world = World::new();
    let limits = Limits { requests: 0, ..Limits::default() };
    let instance = world.start_with(|builder| builder.limits(limits)).await;
    let (status, head, body) =
        exchange(&instance.host, "GET /v1/stores HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert_eq!(status, 503);
    assert!(head.contains("retry-after: 1") && body.contains("overloaded"), "{head} {body}");
    let limits = Limits { reads: 0, request_time: Duration::from_millis(50), ..Limits::default() };
    let instance = world.start_with(|builder| builder.limits(limits)).await;
    let (status, answer) = get(&instance.host, "/v1/stores/counts/keys").await;
    assert_eq!((status, &answer["error"]["code"]), (504, &json!("timeout")));
}
