//! Who leads which partition and who is in step, as one broker tells it: a Metadata request of version 4, byte by byte, because the
//! client traits do not tell it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// Correlation 7, no client id, all topics, none created; with its length before it.
const METADATA: [u8; 19] = [0, 0, 0, 15, 0, 3, 0, 4, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0];
const LIMIT: Duration = Duration::from_secs(2);

/// The cluster as one broker sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The brokers that live.
    pub brokers: BTreeSet<i32>,
    /// All partitions of all topics.
    pub partitions: BTreeMap<(String, i32), Replicas>,
}

/// Where a partition is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replicas {
    /// Negative when nobody leads it.
    pub leader: i32,
    /// Who shall have it, the preferred leader first.
    pub all: Vec<i32>,
    /// Who has all of it.
    pub in_step: Vec<i32>,
}

impl View {
    /// Asks the broker on `port`.
    pub(super) fn from(port: u16) -> Result<Self> {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.write_all(&METADATA)?;
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut answer = Vec::new();
        stream.take(u64::from(u32::from_be_bytes(length))).read_to_end(&mut answer)?;
        decode(&answer)
    }

    /// Whether all `brokers` live and every partition has a leader and all its replicas in step.
    pub(super) fn is_whole(&self, brokers: usize) -> bool {
        let whole = |partition: &Replicas| partition.leader >= 0 && partition.in_step.len() == partition.all.len();
        self.brokers.len() == brokers && self.partitions.values().all(whole)
    }
}

fn decode(answer: &[u8]) -> Result<View> {
    let mut bytes = Bytes(answer);
    ensure!(bytes.int()? == 7, "an answer to another question");
    let _throttle = bytes.int()?;
    let brokers = bytes.list(|bytes| {
        let (number, _host, _port, _rack) = (bytes.int()?, bytes.text()?, bytes.int()?, bytes.text()?);
        Ok(number)
    })?;
    let (_cluster, _controller) = (bytes.text()?, bytes.int()?);
    let topics = bytes.list(|bytes| {
        let (_error, name, _is_internal) = (bytes.short()?, bytes.text()?, bytes.take::<1>()?);
        bytes.list(|bytes| {
            let (_error, number, leader) = (bytes.short()?, bytes.int()?, bytes.int()?);
            let (all, in_step) = (bytes.list(Bytes::int)?, bytes.list(Bytes::int)?);
            Ok(((name.clone(), number), Replicas { leader, all, in_step }))
        })
    })?;
    Ok(View { brokers: brokers.into_iter().collect(), partitions: topics.into_iter().flatten().collect() })
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>().context("a short answer")?;
        self.0 = rest;
        Ok(*taken)
    }

    fn short(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.take()?))
    }

    fn int(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.take()?))
    }

    /// Absent is empty.
    fn text(&mut self) -> Result<String> {
        let length = usize::try_from(self.short()?).unwrap_or(0);
        let (text, rest) = self.0.split_at_checked(length).context("a short answer")?;
        self.0 = rest;
        Ok(String::from_utf8(text.to_vec())?)
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = Vec::new();
        for _ in 0..self.int()? {
            items.push(item(self)?);
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_says_its_own_length() {
        assert_eq!(usize::from(METADATA[3]) + 4, METADATA.len());
    }

    #[test]
    fn leaders_and_replicas_in_step_are_read() {
        let mut answer = vec![0, 0, 0, 7, 0, 0, 0, 0];
        answer.extend([0, 0, 0, 1, 0, 0, 0, 3, 0, 1, b'h', 0, 0, 0x23, 0x84, 0xff, 0xff]);
        answer.extend([0, 1, b'c', 0, 0, 0, 3]);
        answer.extend([0, 0, 0, 1, 0, 0, 0, 1, b't', 0]);
        answer.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3]);
        answer.extend([0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 3]);
        let replicas = Replicas { leader: 3, all: vec![3, 1], in_step: vec![3] };
        let expected =
            View { brokers: BTreeSet::from([3]), partitions: BTreeMap::from([(("t".to_owned(), 2), replicas)]) };
        assert_eq!(decode(&answer).expect("well formed"), expected);
        assert!(!expected.is_whole(1), "a replica is behind");
        answer.pop();
        assert!(decode(&answer).is_err());
    }
}
