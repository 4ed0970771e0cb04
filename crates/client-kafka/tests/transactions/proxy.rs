//! Stands between a producer and its broker: loses answers, and holds requests back until it is told to let them go.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

pub(crate) const TXN_OFFSET_COMMIT: i16 = 28;
pub(crate) const END_TXN: i16 = 26;
/// Metadata and FindCoordinator: their answers say where brokers are.
const WHERE: [i16; 2] = [3, 10];

/// What is done to one request; then its connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The broker gets it, and its answer is lost.
    LoseAnswer,
    /// The broker gets it when [`Proxy::release`] says so.
    Hold,
}

#[derive(Debug)]
struct Shared {
    broker: String,
    port: u16,
    faults: Mutex<VecDeque<(i16, Fault)>>,
    held: Mutex<Vec<Vec<u8>>>,
    over: AtomicBool,
}

/// It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy(Arc<Shared>);

impl Proxy {
    pub(crate) fn of(broker: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let (faults, held, over) = Default::default();
        let shared = Arc::new(Shared { broker: broker.to_owned(), port, faults, held, over });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                thread::spawn(move || client.ok().and_then(|client| relay(&shared, &client)));
            }
        });
        Proxy(shared)
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.0.port)
    }

    /// The next request with this key meets that.
    pub(crate) fn next(&self, key: i16, fault: Fault) {
        self.0.faults.lock().unwrap().push_back((key, fault));
    }

    /// Lets go what was held back: the broker gets it now. How many requests that were.
    pub(crate) fn release(&self) -> usize {
        let held = std::mem::take(&mut *self.0.held.lock().unwrap());
        for frame in &held {
            let mut broker = TcpStream::connect(&self.0.broker).expect("the broker");
            broker.write_all(frame).expect("a request");
            // It has done what it does when it answers.
            read_frame(&mut broker).expect("an answer");
        }
        held.len()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::SeqCst);
        // For whoever waits for the next client.
        let _ = TcpStream::connect(self.address());
    }
}

/// The frame, its length first.
fn read_frame(from: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length).ok()?;
    let mut frame = vec![0; 4 + u32::from_be_bytes(length) as usize];
    frame.get_mut(..4)?.copy_from_slice(&length);
    from.read_exact(frame.get_mut(4..)?).ok()?;
    Some(frame)
}

/// One request after the other, as a broker works on them.
fn relay(shared: &Shared, client: &TcpStream) -> Option<()> {
    let mut broker = TcpStream::connect(&shared.broker).ok()?;
    let mut from = client.try_clone().ok()?;
    let mut to = client.try_clone().ok()?;
    while let Some(frame) = read_frame(&mut from) {
        let key = i16::from_be_bytes(frame.get(4..6)?.try_into().ok()?);
        let mut faults = shared.faults.lock().unwrap();
        let fault = faults.pop_front_if(|(of, _)| *of == key).map(|(_, fault)| fault);
        drop(faults);
        if fault == Some(Fault::Hold) {
            shared.held.lock().unwrap().push(frame);
            break;
        }
        broker.write_all(&frame).ok()?;
        let answer = read_frame(&mut broker)?;
        if fault == Some(Fault::LoseAnswer) {
            break;
        }
        to.write_all(&if WHERE.contains(&key) { with_own_port(shared, &answer) } else { answer }).ok()?;
    }
    client.shutdown(Shutdown::Both).ok()
}

/// The answer, with this port where the broker's was.
fn with_own_port(shared: &Shared, answer: &[u8]) -> Vec<u8> {
    let port = shared.broker.rsplit(':').next().and_then(|port| port.parse::<u16>().ok()).unwrap_or_default();
    let (theirs, own) = (u32::from(port).to_be_bytes(), u32::from(shared.port).to_be_bytes());
    let mut changed = answer.to_vec();
    for at in 0..changed.len().saturating_sub(3) {
        if let Some(found) = changed.get_mut(at..at + 4)
            && *found == theirs
        {
            found.copy_from_slice(&own);
        }
    }
    changed
}
