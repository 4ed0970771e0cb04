//! Asks a broker for its cluster, byte by byte: xtask needs no Kafka client for one question.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Metadata version 4, correlation 7, no client id, no topics, no topic creation; with its length before it.
const METADATA: [u8; 19] = [0, 0, 0, 15, 0, 3, 0, 4, 0, 0, 0, 7, 0xff, 0xff, 0, 0, 0, 0, 0];
const LIMIT: Duration = Duration::from_secs(2);

/// How many brokers the one on this port knows to be alive.
pub(super) fn brokers(port: u16) -> Result<u32> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(&METADATA)?;
    // Length, correlation id, throttle time, and the number of brokers.
    let mut answer = [0; 16];
    stream.read_exact(&mut answer)?;
    brokers_in(answer)
}

fn brokers_in(answer: [u8; 16]) -> Result<u32> {
    let mut words = answer.as_chunks::<4>().0.iter().map(|word| u32::from_be_bytes(*word));
    let mut next = || words.next().context("a short answer");
    let (_length, correlation, _throttle, brokers) = (next()?, next()?, next()?, next()?);
    if correlation != 7 {
        bail!("an answer to another question");
    }
    Ok(brokers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_says_its_own_length() {
        assert_eq!(usize::from(METADATA[3]) + 4, METADATA.len());
    }

    #[test]
    fn the_answer_is_the_number_of_brokers() {
        let answer = [0, 0, 0, 40, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1];
        assert_eq!(brokers_in(answer).expect("well formed"), 1);
        assert!(brokers_in([0; 16]).is_err());
    }

    #[test]
    fn nobody_on_the_port_is_an_error() {
        let port = super::super::node::free_port().expect("a free port");
        assert!(brokers(port).is_err());
    }
}
