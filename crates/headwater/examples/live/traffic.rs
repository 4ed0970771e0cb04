//! Customers, as a thread: they look at pages, order, and mostly pay.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use headwater::client::ClientError;
use headwater::memory::Cluster;
use headwater::prelude::*;
use headwater::record::{Headers, Topic};

use super::topology::{ORDERS, PAYMENTS, PRODUCTS, VIEWS};

/// Between two moments in which something happens.
const TICK: Duration = Duration::from_millis(20);
const VIEWS_A_TICK: u64 = 50;
const ORDERS_A_TICK: u64 = 8;
/// A payment comes so many ticks after its order.
const TO_PAY: usize = 40;
const ASSORTMENT: [(&str, &str); 8] = [
    ("pen", "writing"),
    ("ink", "writing"),
    ("paper", "writing"),
    ("lamp", "furniture"),
    ("desk", "furniture"),
    ("tea", "kitchen"),
    ("kettle", "kitchen"),
    ("cup", "kitchen"),
];

/// What customers did.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) records: AtomicU64,
    pub(crate) orders: AtomicU64,
    pub(crate) paid_cents: AtomicI64,
    stop: AtomicBool,
}

/// Customers who come until they are dropped.
pub(crate) struct Traffic {
    pub(crate) done: Arc<Done>,
    thread: Option<JoinHandle<Result<(), ClientError>>>,
}

/// What the shop has.
pub(crate) fn stock(cluster: &Cluster) -> Result<(), ClientError> {
    let topic = Topic::from(PRODUCTS);
    ASSORTMENT.iter().try_for_each(|(product, category)| {
        let (key, value) = (Some(product.as_bytes()), Some(category.as_bytes()));
        cluster.produce(&topic, key, value, Timestamp::UNKNOWN, &Headers::new()).map(|_| ())
    })
}

impl Traffic {
    pub(crate) fn begin(cluster: &Cluster) -> Self {
        let done = Arc::new(Done::default());
        let customers = Customers {
            cluster: cluster.clone(),
            done: Arc::clone(&done),
            chance: 0x9e37_79b9_7f4a_7c15,
            number: 0,
            owed: VecDeque::new(),
        };
        Traffic { done, thread: Some(std::thread::spawn(move || customers.come())) }
    }

    /// The last pay, and nobody comes any more.
    pub(crate) fn end(&mut self) -> Result<(), ClientError> {
        self.done.stop.store(true, Ordering::Relaxed);
        self.thread.take().map_or(Ok(()), |thread| thread.join().unwrap_or(Ok(())))
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

struct Customers {
    cluster: Cluster,
    done: Arc<Done>,
    /// What happens next (Marsaglia's xorshift).
    chance: u64,
    number: u64,
    /// Orders of the last ticks that will be paid: number and cents.
    owed: VecDeque<Vec<(String, i64)>>,
}

impl Customers {
    fn come(mut self) -> Result<(), ClientError> {
        let mut next = Instant::now();
        while !self.done.stop.load(Ordering::Relaxed) {
            self.view()?;
            self.order()?;
            if self.owed.len() > TO_PAY {
                self.pay()?;
            }
            // Who was held up comes the faster afterwards.
            next += TICK;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        while !self.owed.is_empty() {
            self.pay()?;
        }
        Ok(())
    }

    fn view(&mut self) -> Result<(), ClientError> {
        for _ in 0..VIEWS_A_TICK {
            let (visitor, product) = (self.draw(500), self.product());
            // Now and then a phone sends what it saw before it was in a tunnel.
            let is_late = self.draw(2_000) == 0;
            let now = self.cluster.clock().now();
            let time = if is_late { Timestamp::from_millis(now.millis() - 60_000) } else { now };
            self.send(VIEWS, &format!("visitor-{visitor}"), product.as_bytes(), time)?;
        }
        Ok(())
    }

    fn order(&mut self) -> Result<(), ClientError> {
        let mut owed = Vec::new();
        for _ in 0..ORDERS_A_TICK {
            let (product, cents) = (self.product(), 100 + i64::try_from(self.draw(9_900)).unwrap_or_default());
            self.number += 1;
            let number = format!("order-{}", self.number);
            // One in a thousand is written by somebody who does not know how.
            if self.draw(1_000) == 0 {
                self.send(ORDERS, &number, b"one pen, please", Timestamp::UNKNOWN)?;
                continue;
            }
            let order = format!(r#"{{"product":"{product}","cents":{cents}}}"#);
            self.send(ORDERS, &number, order.as_bytes(), Timestamp::UNKNOWN)?;
            self.done.orders.fetch_add(1, Ordering::Relaxed);
            if self.draw(20) > 0 {
                owed.push((number, cents));
            }
        }
        self.owed.push_back(owed);
        Ok(())
    }

    fn pay(&mut self) -> Result<(), ClientError> {
        for (number, cents) in self.owed.pop_front().unwrap_or_default() {
            self.send(PAYMENTS, &number, &cents.to_be_bytes(), Timestamp::UNKNOWN)?;
            self.done.paid_cents.fetch_add(cents, Ordering::Relaxed);
        }
        Ok(())
    }

    fn send(&self, topic: &str, key: &str, value: &[u8], time: Timestamp) -> Result<(), ClientError> {
        self.cluster.produce(&Topic::from(topic), Some(key.as_bytes()), Some(value), time, &Headers::new())?;
        self.done.records.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Some sell better than others.
    fn product(&mut self) -> &'static str {
        let place = self.draw(8).min(self.draw(8));
        usize::try_from(place).ok().and_then(|place| ASSORTMENT.get(place)).map_or("pen", |(product, _)| product)
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance >> 11) % below
    }
}
