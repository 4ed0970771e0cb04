//! The example shows its page while it works, and counts everything that was paid.
#![allow(missing_docs, dead_code, reason = "a test of a part of the example")]
#![allow(clippy::disallowed_methods, reason = "a test beside an application with threads waits for it")]

#[path = "../examples/live/shop.rs"]
mod shop;
#[path = "../examples/live/topology.rs"]
mod topology;
#[path = "../examples/live/traffic.rs"]
mod traffic;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use shop::Shop;

#[test]
fn the_shop_is_seen_and_counts_everything_that_was_paid() -> Result<(), Box<dyn std::error::Error>> {
    let shop = Shop::open([free_port()?, free_port()?])?;
    let page = shop.page();
    let host = page.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host)?;
    write!(stream, "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("<h2 id=\"topology-title\">"), "{answer}");
    shop.pause(Duration::from_secs(2));
    let totals = shop.close()?;
    assert!(totals.paid_cents > 0);
    assert_eq!(totals.counted_cents, Some(totals.paid_cents));
    Ok(())
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
