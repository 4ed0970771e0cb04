//! A shop, live: orders, payments and page views stream through two instances on a Kafka in this process, and a page shows what they do.
//!
//! `cargo run --release -p headwater --no-default-features --features json,query --example live -- [--for SECONDS] [--port PORT]`
//!
//! It ends by itself after two minutes, or at Ctrl-C, and sees that everything that was paid was counted.
#![allow(clippy::print_stdout, reason = "an example talks on its standard output")]
#![allow(clippy::disallowed_methods, reason = "customers live in real time")]

mod shop;
mod topology;
mod traffic;

use std::error::Error;
use std::time::Duration;

use shop::Shop;

/// Until the totals are said again.
const PAUSE: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn Error>> {
    let (mut seconds, mut port) = (120_u64, 7070_u16);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} what?"))?;
        match word.as_str() {
            "--for" => seconds = value.parse()?,
            "--port" => port = value.parse()?,
            other => return Err(format!("{other} is not known: --for SECONDS, --port PORT").into()),
        }
    }
    let shop = Shop::open([port, port + 1])?;
    shop.close_on_signals()?;
    println!("Look at {} (for {seconds} s, or until Ctrl-C)", shop.page());
    let mut left = Duration::from_secs(seconds);
    while !left.is_zero() && shop.is_open() {
        let pause = left.min(PAUSE);
        shop.pause(pause);
        left -= pause;
        println!("{}", shop.totals()?);
    }
    println!("{}", shop.close()?);
    Ok(())
}
