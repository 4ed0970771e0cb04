//! Who has what, as the group's metadata say. Nobody else is called.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use headwater_record::Partition;
use headwater_runtime::assignment::HostPort;
use tokio::time::Instant;

use super::transport::{Reply, Transport};
use crate::wire;

/// What was learnt is learnt anew after so long, though nobody found it to be otherwise: so that new hosts are known before old ones go.
const MAX_AGE: Duration = Duration::from_secs(30);

/// Who has the partitions of a store.
#[derive(Debug, Default)]
pub(super) struct Layout {
    partitions: Vec<Hosts>,
    /// Everybody who has some of it.
    hosts: BTreeSet<HostPort>,
}

/// Who has a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hosts {
    pub(super) active: Option<HostPort>,
    pub(super) standbys: Vec<HostPort>,
}

impl Layout {
    fn of(wire: &wire::Layout) -> Self {
        let host = |text: &String| text.parse::<HostPort>().ok();
        let hosts = |owner: &wire::Owner| Hosts {
            active: owner.active.as_ref().and_then(host),
            standbys: owner.standbys.iter().filter_map(host).collect(),
        };
        Layout {
            partitions: wire.partitions.iter().map(hosts).collect(),
            hosts: wire.hosts.iter().filter_map(host).collect(),
        }
    }

    /// None in a global store.
    pub(super) fn partitions(&self) -> Partition {
        Partition::try_from(self.partitions.len()).unwrap_or(Partition::MAX)
    }

    /// Who has `partition`; of a global store, whose turn it is of those who all have it.
    pub(super) fn of_partition(&self, partition: Option<Partition>, turn: usize) -> Hosts {
        if let Some(number) = partition {
            let index = usize::try_from(number).unwrap_or(usize::MAX);
            return self.partitions.get(index).cloned().unwrap_or_default();
        }
        let turn = turn.checked_rem(self.hosts.len()).unwrap_or_default();
        Hosts { active: self.hosts.iter().nth(turn).cloned(), standbys: Vec::new() }
    }
}

/// What is known of a store.
#[derive(Clone, Debug)]
struct Known {
    layout: Arc<Layout>,
    learnt: Instant,
    /// Somebody found it to be otherwise.
    is_outdated: bool,
}

impl Known {
    fn is_current(&self) -> bool {
        !self.is_outdated && self.learnt.elapsed() < MAX_AGE
    }
}

/// What is known of all stores that were asked for.
#[derive(Debug)]
pub(super) struct Layouts {
    seeds: BTreeSet<HostPort>,
    known: Mutex<BTreeMap<String, Known>>,
    /// Whose turn it is to be asked.
    turn: AtomicUsize,
    /// One asks for all who want to know.
    asking: tokio::sync::Mutex<()>,
}

impl Layouts {
    pub(super) fn new(seeds: BTreeSet<HostPort>) -> Self {
        Layouts { seeds, known: Mutex::default(), turn: AtomicUsize::new(0), asking: tokio::sync::Mutex::default() }
    }

    pub(super) fn turn(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who has what of `store`, as it was learnt last; otherwise the next whose turn it is is asked, until one answers.
    pub(super) async fn of(&self, store: &str, transport: &Transport) -> Reply<Arc<Layout>> {
        let current =
            || self.known().get(store).filter(|known| known.is_current()).map(|known| Arc::clone(&known.layout));
        if let Some(layout) = current() {
            return Reply::Answer(layout);
        }
        let _asking = self.asking.lock().await;
        match current() {
            Some(layout) => Reply::Answer(layout),
            None => self.learn(store, transport).await,
        }
    }

    async fn learn(&self, store: &str, transport: &Transport) -> Reply<Arc<Layout>> {
        let mut hosts = self.seeds.clone();
        hosts.extend(self.known().values().flat_map(|known| known.layout.hosts.iter().cloned()));
        let (path, turn) = (format!("/v1/stores/{}", escape(store)), self.turn());
        let mut why = String::from("no host is known");
        for host in hosts.iter().cycle().skip(turn.checked_rem(hosts.len()).unwrap_or_default()).take(hosts.len()) {
            match transport.get::<wire::Layout>(host, &path).await {
                Reply::Answer(found) => {
                    let layout = Arc::new(Layout::of(&found));
                    let known = Known { layout: Arc::clone(&layout), learnt: Instant::now(), is_outdated: false };
                    self.known().insert(store.to_owned(), known);
                    return Reply::Answer(layout);
                }
                Reply::NotNow(what) | Reply::Elsewhere(_, what) => why = what,
                Reply::Nothing(_) => why = format!("{host} does not say who has what"),
                Reply::Refused(error) => return Reply::Refused(error),
            }
        }
        Reply::NotNow(why)
    }

    /// `layout` was found to be otherwise.
    pub(super) fn is_outdated(&self, store: &str, layout: &Arc<Layout>) {
        if let Some(known) = self.known().get_mut(store)
            && Arc::ptr_eq(&known.layout, layout)
        {
            known.is_outdated = true;
        }
    }
}

/// `text` as a part of a path or a query (RFC 3986).
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_one_segment_of_a_path() {
        assert_eq!(escape("a-b_c~1"), "a-b_c~1");
        assert_eq!(escape("../a b?c=d&e#f%+ü"), "%2E%2E%2Fa%20b%3Fc%3Dd%26e%23f%25%2B%C3%BC");
    }
}
