//! Reading partitions, in no group.
//!
//! Two sides: [`KafkaConsumer`], which the stream thread calls, knows where each partition is read and decodes what came; the
//! fetcher, a task beside it, asks the brokers (`plan.rs` decides what, `fetcher.rs` does it). Of each partition one answer is
//! fetched ahead: when it is handed out, the next one is ordered, so that the brokers work while records are processed, and memory
//! is bound by `max.partition.fetch.bytes` for each partition, or by `fetch.max.bytes` for each broker.
//!
//! An assignment or a seek makes a [`Claim`] with a number of its own. Whatever is still heard of an older one is nobody's, so that
//! nothing of before a seek can come after it.
#![forbid(unsafe_code)]

mod fetcher;
mod lane;
mod messages;
mod plan;
mod settings;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use headwater_client::{ClientConfig, ClientError, Consumer, RecordBatch, StartAt, Wakeup, Watermarks};
use headwater_record::{Deadline, Offset, TopicPartition};
use tokio::sync::mpsc::UnboundedSender;

use self::fetcher::Order;
use self::messages::{Claim, From, Heard, Records};
use self::settings::{FOLLOWED, Settings};
use crate::batch::Fetched;
use crate::clock::remaining;
use crate::config::others;
use crate::io::Io;

/// A partition that is read.
#[derive(Debug)]
struct Reading {
    claim: Claim,
    /// Where the next batch begins.
    position: Option<Offset>,
    watermarks: Option<Watermarks>,
    paused: bool,
    /// What came while it was paused.
    held: Option<Records>,
}

/// [`Consumer`] of a real cluster.
pub(crate) struct KafkaConsumer {
    settings: Settings,
    orders: UnboundedSender<Order>,
    heard: Receiver<Heard>,
    /// Whether somebody wants the poll to end.
    is_woken: bool,
    readings: HashMap<TopicPartition, Reading>,
    claims: HashMap<Claim, TopicPartition>,
    next_claim: u64,
    /// Partitions that are no longer paused and have something held back.
    resumed: Vec<TopicPartition>,
    /// What the running poll hands out. More is ordered at its end: else it would have no end while the brokers are quick.
    handed_out: Vec<(Claim, From)>,
    /// What went wrong and was not told yet.
    failures: VecDeque<(Option<Claim>, ClientError)>,
    /// Keeps the thread that the fetcher lives on.
    _io: Io,
}

impl KafkaConsumer {
    /// Whether one can be made with these settings.
    pub(crate) fn check_settings(config: &ClientConfig) -> Result<(), ClientError> {
        Settings::of(config).map(drop)
    }

    /// Those on which it does not act.
    pub(crate) fn unused_settings(config: &ClientConfig) -> Vec<(String, Option<&'static str>)> {
        others(config, &FOLLOWED)
    }

    pub(crate) fn new(io: Io, config: &ClientConfig) -> Result<Self, ClientError> {
        let settings = Settings::of(config)?;
        let (tell, heard) = mpsc::channel();
        let orders = fetcher::start(&io.handle()?, settings.clone(), tell);
        Ok(Self::beside(settings, orders, heard, io))
    }

    /// A consumer that reads nothing yet, beside a fetcher that takes `orders` and is `heard`.
    fn beside(settings: Settings, orders: UnboundedSender<Order>, heard: Receiver<Heard>, io: Io) -> Self {
        KafkaConsumer {
            settings,
            orders,
            heard,
            is_woken: false,
            readings: HashMap::new(),
            claims: HashMap::new(),
            next_claim: 0,
            resumed: Vec::new(),
            handed_out: Vec::new(),
            failures: VecDeque::new(),
            _io: io,
        }
    }

    /// Says what the fetcher is to do. It hears nothing only when its thread is gone, which the next poll finds out.
    fn order(&self, order: Order) {
        let _ = self.orders.send(order);
    }

    fn claim(&mut self, partition: &TopicPartition, at: StartAt, paused: bool) {
        let claim = Claim(self.next_claim);
        self.next_claim += 1;
        let position = match at {
            StartAt::Offset(offset) => Some(offset),
            StartAt::Beginning | StartAt::End => None,
        };
        let reading = Reading { claim, position, watermarks: None, paused, held: None };
        self.readings.insert(partition.clone(), reading);
        self.claims.insert(claim, partition.clone());
        self.order(Order::Claim(claim, partition.clone(), at));
    }

    fn give_up(&mut self, partition: &TopicPartition) -> Option<Reading> {
        let reading = self.readings.remove(partition)?;
        self.claims.remove(&reading.claim);
        // What went wrong before is nothing to whoever takes the partition again.
        self.failures.retain(|(claim, _)| *claim != Some(reading.claim));
        self.order(Order::GiveUp(reading.claim));
        Some(reading)
    }

    fn take(&mut self, heard: Heard, into: &mut Vec<Box<dyn RecordBatch>>) {
        match heard {
            Heard::Began(claim, offset) => {
                if let Some(reading) = self.reading(claim) {
                    reading.position = Some(offset);
                }
            }
            Heard::Records(claim, records) => {
                self.forget_silence();
                let Some(reading) = self.reading(claim) else { return };
                reading.watermarks = Some(records.watermarks);
                if reading.paused {
                    reading.held = Some(records);
                } else {
                    self.hand_out(claim, records, into);
                }
            }
            Heard::Watermarks(claim, watermarks) => {
                if let Some(reading) = self.reading(claim) {
                    reading.watermarks = Some(watermarks);
                }
            }
            Heard::Failed(claim, error) => {
                if let Some(partition) = self.claims.get(&claim) {
                    tracing::warn!(%partition, %error, "a partition cannot be read on");
                    self.failures.push_back((Some(claim), error));
                }
            }
            Heard::Silence(error) => {
                self.forget_silence();
                self.failures.push_back((None, error));
            }
            Heard::Wakeup => self.is_woken = true,
        }
    }

    /// Hands out what came of a partition and orders what follows it.
    fn hand_out(&mut self, claim: Claim, records: Records, into: &mut Vec<Box<dyn RecordBatch>>) {
        let Some(partition) = self.claims.get(&claim).cloned() else { return };
        let Records { from, bytes, aborted, .. } = records;
        let check_crcs = self.settings.check_crcs;
        let fetched = match Fetched::new(partition, bytes, from.offset, aborted, check_crcs) {
            Ok(fetched) => fetched,
            Err(error) => return self.take(Heard::Failed(claim, error), into),
        };
        let next = From { offset: fetched.end(), epoch: fetched.leader_epoch().unwrap_or(from.epoch) };
        if let Some(reading) = self.reading(claim) {
            reading.position = Some(next.offset);
        }
        if next.offset == from.offset {
            // Brokers give at least one whole batch, however large.
            let reason = format!("the answer has no whole record batch for offset {}", from.offset);
            let error = ClientError::Malformed { partition: fetched.partition().clone(), reason };
            return self.take(Heard::Failed(claim, error), into);
        }
        self.handed_out.push((claim, next));
        if fetched.head().is_some() {
            into.push(Box::new(fetched));
        }
    }

    /// Takes what has come, at most one answer of each partition; when there is nothing, waits for something until `until`.
    fn take_all(&mut self, until: Deadline, into: &mut Vec<Box<dyn RecordBatch>>) -> Result<(), ClientError> {
        for partition in std::mem::take(&mut self.resumed) {
            // It may be paused again, or be another's meanwhile.
            let reading = self.readings.get_mut(&partition).filter(|reading| !reading.paused);
            let held = reading.and_then(|reading| Some((reading.claim, reading.held.take()?)));
            if let Some((claim, records)) = held {
                self.hand_out(claim, records, into);
            }
        }
        loop {
            match self.heard.try_recv() {
                Ok(heard) => self.take(heard, into),
                Err(TryRecvError::Disconnected) => return Err(ClientError::Closed),
                Err(TryRecvError::Empty) => {
                    let has_news = !self.handed_out.is_empty() || !self.failures.is_empty() || self.is_woken;
                    let wait = if has_news || until == Deadline::NOW { Duration::ZERO } else { remaining(until) };
                    if wait.is_zero() {
                        return Ok(());
                    }
                    match self.heard.recv_timeout(wait) {
                        Ok(heard) => self.take(heard, into),
                        Err(RecvTimeoutError::Timeout) => return Ok(()),
                        Err(RecvTimeoutError::Disconnected) => return Err(ClientError::Closed),
                    }
                }
            }
        }
    }

    fn forget_silence(&mut self) {
        self.failures.retain(|(claim, _)| claim.is_some());
    }

    fn reading(&mut self, claim: Claim) -> Option<&mut Reading> {
        self.readings.get_mut(self.claims.get(&claim)?)
    }
}

impl Consumer for KafkaConsumer {
    fn assign(&mut self, partitions: &[(TopicPartition, StartAt)]) -> Result<(), ClientError> {
        if let Some((partition, _)) = partitions.iter().find(|(partition, _)| self.readings.contains_key(partition)) {
            return Err(ClientError::Config(format!("partition {partition} is assigned already")));
        }
        for (partition, at) in partitions {
            // Named twice, the last one holds.
            self.give_up(partition);
            self.claim(partition, *at, false);
        }
        Ok(())
    }

    fn unassign(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        for partition in partitions {
            self.give_up(partition);
        }
        Ok(())
    }

    fn seek(&mut self, partition: &TopicPartition, to: StartAt) -> Result<(), ClientError> {
        let Some(reading) = self.give_up(partition) else {
            return Err(ClientError::Config(format!("partition {partition} is not assigned")));
        };
        self.claim(partition, to, reading.paused);
        Ok(())
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        for partition in partitions {
            if let Some(reading) = self.readings.get_mut(partition) {
                reading.paused = true;
            }
        }
        Ok(())
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        for partition in partitions {
            if let Some(reading) = self.readings.get_mut(partition) {
                reading.paused = false;
                if reading.held.is_some() {
                    self.resumed.push(partition.clone());
                }
            }
        }
        Ok(())
    }

    fn poll(&mut self, until: Deadline, into: &mut Vec<Box<dyn RecordBatch>>) -> Result<(), ClientError> {
        let taken = self.take_all(until, into);
        self.is_woken = false;
        for (claim, next) in std::mem::take(&mut self.handed_out) {
            self.order(Order::Fetch(claim, next));
        }
        taken?;
        self.failures.pop_front().map_or(Ok(()), |(_, error)| Err(error))
    }

    fn wakeup(&self) -> Wakeup {
        // Whoever holds it does not keep the fetcher alive.
        let orders = self.orders.downgrade();
        Arc::new(move || {
            if let Some(orders) = orders.upgrade() {
                let _ = orders.send(Order::Wakeup);
            }
        })
    }

    fn position(&self, partition: &TopicPartition) -> Option<Offset> {
        self.readings.get(partition)?.position
    }

    fn watermarks(&self, partition: &TopicPartition) -> Option<Watermarks> {
        self.readings.get(partition)?.watermarks
    }
}

impl fmt::Debug for KafkaConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaConsumer")
            .field("servers", &self.settings.servers.text())
            .field("readings", &self.readings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
