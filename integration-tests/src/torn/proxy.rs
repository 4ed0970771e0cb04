//! Stands between an application and its broker: some of the requests of a transaction are lost, are late, come twice, or lose their
//! answer. A late one is as late as a network makes it: its sender may have given it up long ago.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::dice::Dice;

const PRODUCE: i16 = 0;
const TXN_OFFSET_COMMIT: i16 = 28;
const END_TXN: i16 = 26;
/// Metadata and `FindCoordinator`: their answers say where brokers are.
const WHERE: [i16; 2] = [3, 10];
/// One request in so many meets a fault.
const RARE: u64 = 15;

/// What is done to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The broker never gets it.
    Lose,
    /// The broker gets it, and its answer is lost.
    LoseAnswer,
    /// The broker gets it late.
    Delay(Duration),
    /// The broker gets it, and once more later.
    Double(Duration),
}

/// What befalls the requests of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mischief {
    /// They are lost, late, come twice, or lose their answer.
    Everything,
    /// The same, but of those that come twice: only records do, whose sequence numbers tell.
    NoEndTwice,
    /// They come twice, and nothing else befalls them.
    OnlyTwice,
}

/// How many requests met what; shared by all proxies of a run.
#[derive(Debug, Default)]
pub struct Injected {
    /// Requests that the broker never got.
    pub lost: AtomicU32,
    /// Answers that were lost.
    pub unanswered: AtomicU32,
    /// Requests that came late.
    pub late: AtomicU32,
    /// Requests that came twice.
    pub doubled: AtomicU32,
    /// Those that are still to come.
    pub pending: AtomicU32,
}

impl Injected {
    /// All together.
    pub fn all(&self) -> u32 {
        let counts = [&self.lost, &self.unanswered, &self.late, &self.doubled];
        counts.map(|count| count.load(Ordering::SeqCst)).iter().sum()
    }

    fn count(&self, fault: Fault) {
        let of = match fault {
            Fault::Lose => &self.lost,
            Fault::LoseAnswer => &self.unanswered,
            Fault::Delay(_) => &self.late,
            Fault::Double(_) => &self.doubled,
        };
        of.fetch_add(1, Ordering::SeqCst);
    }
}

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |count: &AtomicU32| count.load(Ordering::SeqCst);
        let (lost, unanswered, late, doubled) =
            (of(&self.lost), of(&self.unanswered), of(&self.late), of(&self.doubled));
        write!(
            f,
            "{} faults ({lost} requests lost, {unanswered} answers lost, {late} late, {doubled} twice)",
            self.all()
        )
    }
}

#[derive(Debug)]
struct Shared {
    broker: String,
    port: u16,
    dice: Mutex<Dice>,
    mischief: Mischief,
    longest: Duration,
    injected: Arc<Injected>,
    /// No more faults.
    calm: AtomicBool,
    over: AtomicBool,
}

/// It ends when it is dropped.
#[derive(Debug)]
pub struct Proxy(Arc<Shared>);

impl Proxy {
    /// Before `broker`. What is late is so by up to `longest`.
    pub fn of(
        broker: &str,
        dice: Dice,
        mischief: Mischief,
        longest: Duration,
        injected: &Arc<Injected>,
    ) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let (calm, over) = Default::default();
        let (dice, injected) = (Mutex::new(dice), Arc::clone(injected));
        let shared =
            Arc::new(Shared { broker: broker.to_owned(), port, dice, mischief, longest, injected, calm, over });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                // A connection that breaks is what clients have to live with.
                thread::spawn(move || client.ok().and_then(|client| relay(&shared, &client).ok()));
            }
        });
        Ok(Proxy(shared))
    }

    /// Where clients meet it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.0.port)
    }

    /// From now on nothing befalls a request, but what is late is still to come.
    pub fn calm_down(&self) {
        self.0.calm.store(true, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::SeqCst);
        // For whoever waits for the next client.
        let _ = TcpStream::connect(self.address());
    }
}

impl Shared {
    fn fault(&self, key: i16) -> Option<Fault> {
        if ![PRODUCE, TXN_OFFSET_COMMIT, END_TXN].contains(&key) || self.calm.load(Ordering::SeqCst) {
            return None;
        }
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        if !dice.one_in(RARE) {
            return None;
        }
        let late = dice.within(Duration::ZERO..self.longest);
        let may_double = self.mischief != Mischief::NoEndTwice || key == PRODUCE;
        let fault = match dice.below(4) {
            _ if self.mischief == Mischief::OnlyTwice => Fault::Double(late),
            0 => Fault::Lose,
            1 => Fault::LoseAnswer,
            2 if may_double => Fault::Double(late),
            _ => Fault::Delay(late),
        };
        self.injected.count(fault);
        Some(fault)
    }
}

/// The frame, its length first.
fn read_frame(from: &mut TcpStream) -> Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut frame = length.to_vec();
    from.take(u64::from(u32::from_be_bytes(length))).read_to_end(&mut frame)?;
    Ok(frame)
}

/// Has the broker get a request by a connection of its own, when it is time.
fn deliver(shared: &Arc<Shared>, frame: Vec<u8>, late: Duration) {
    let shared = Arc::clone(shared);
    shared.injected.pending.fetch_add(1, Ordering::SeqCst);
    thread::spawn(move || {
        thread::sleep(late);
        let delivered = TcpStream::connect(&shared.broker).map_err(anyhow::Error::from).and_then(|mut broker| {
            broker.write_all(&frame)?;
            // It has done what it does when it answers.
            read_frame(&mut broker)
        });
        shared.injected.pending.fetch_sub(1, Ordering::SeqCst);
        delivered.map(drop)
    });
}

/// One request after the other, as a broker works on them.
fn relay(shared: &Arc<Shared>, client: &TcpStream) -> Result<()> {
    let mut broker = TcpStream::connect(&shared.broker)?;
    let (mut from, mut to) = (client.try_clone()?, client.try_clone()?);
    while let Ok(frame) = read_frame(&mut from) {
        let key = frame.get(4..6).and_then(|key| key.try_into().ok()).map(i16::from_be_bytes).context("a key")?;
        let fault = shared.fault(key);
        match fault {
            Some(Fault::Lose) => break,
            // The connection hangs: its client gives it up, or not.
            Some(Fault::Delay(late)) => {
                shared.injected.pending.fetch_add(1, Ordering::SeqCst);
                thread::sleep(late);
            }
            Some(Fault::Double(late)) => deliver(shared, frame.clone(), late),
            Some(Fault::LoseAnswer) | None => {}
        }
        let answer = broker.write_all(&frame).map_err(anyhow::Error::from).and_then(|()| read_frame(&mut broker));
        if let Some(Fault::Delay(_)) = fault {
            shared.injected.pending.fetch_sub(1, Ordering::SeqCst);
        }
        let answer = answer?;
        if fault == Some(Fault::LoseAnswer) {
            break;
        }
        to.write_all(&if WHERE.contains(&key) { with_own_port(shared, answer)? } else { answer })?;
    }
    Ok(client.shutdown(Shutdown::Both)?)
}

/// The answer, with this port where the broker's was.
fn with_own_port(shared: &Shared, mut answer: Vec<u8>) -> Result<Vec<u8>> {
    let port: u16 = shared.broker.rsplit(':').next().context("a port")?.parse()?;
    let (theirs, own) = (u32::from(port).to_be_bytes(), u32::from(shared.port).to_be_bytes());
    for at in 0..answer.len().saturating_sub(3) {
        if let Some(found) = answer.get_mut(at..at + 4)
            && *found == theirs
        {
            found.copy_from_slice(&own);
        }
    }
    Ok(answer)
}
