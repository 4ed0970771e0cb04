//! One connection to a broker: frames, correlation ids, version negotiation.
//!
//! A broker works on the requests of a connection one after another and answers in that order, so a queue of waiting callers is
//! enough; and a join that the broker parks holds up everything sent after it.
#![forbid(unsafe_code)]

mod frames;

use std::collections::{HashMap, VecDeque};
use std::io::IoSlice;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use headwater_client::{ClientError, Lease};
use kafka_protocol::messages::{ApiVersionsRequest, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::frames::Frames;
use crate::config::Servers;
use crate::error::{About, of_code, unavailable};

/// What is longer is no answer of Kafka: of another protocol's bytes, say.
pub(crate) const FRAME_LIMIT: usize = 1 << 30;

#[derive(Debug)]
struct Waiting {
    correlation_id: i32,
    answer: oneshot::Sender<Bytes>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Option<VecDeque<Waiting>>>,
}

/// A connection whose API versions are known. Calls may overlap.
#[derive(Debug)]
pub(crate) struct Connection {
    address: String,
    client_id: StrBytes,
    writer: tokio::sync::Mutex<Writer>,
    queue: Arc<Queue>,
    reader: JoinHandle<()>,
    versions: HashMap<i16, (i16, i16)>,
    transaction_version: i16,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // A broker that has gone without a word would keep it, and the socket, for ever.
        self.reader.abort();
    }
}

#[derive(Debug)]
struct Writer {
    socket: OwnedWriteHalf,
    next_id: i32,
}

impl Connection {
    /// Connects to the broker at `address`, whoever of the `servers` it is.
    pub(crate) async fn open(address: &str, servers: &Servers) -> Result<Self, ClientError> {
        let failed = |error: std::io::Error| unavailable(address, error);
        let limit = servers.setup_timeout;
        let connecting = timeout(limit, TcpStream::connect(address)).await;
        let too_long = |_| unavailable(address, format!("no connection within {} ms", limit.as_millis()));
        let stream = connecting.map_err(too_long)?.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let (reader, socket) = stream.into_split();
        let queue = Arc::new(Queue { waiting: Mutex::new(Some(VecDeque::new())) });
        let reader = tokio::spawn(read_answers(reader, Arc::clone(&queue)));
        let mut connection = Connection {
            address: address.to_owned(),
            client_id: StrBytes::from_string(servers.client_id.clone()),
            writer: tokio::sync::Mutex::new(Writer { socket, next_id: 0 }),
            queue,
            reader,
            versions: HashMap::new(),
            transaction_version: 0,
        };
        connection.learn_versions(limit).await?;
        Ok(connection)
    }

    /// Where it leads.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// What the cluster has agreed upon as `transaction.version`; 0 where it has not.
    pub(crate) fn transaction_version(&self) -> i16 {
        self.transaction_version
    }

    /// Whether the broker has closed it.
    pub(crate) fn is_closed(&self) -> bool {
        self.queue.lock().is_none()
    }

    /// The newest version of a request that both sides know, at most `newest`.
    pub(crate) fn version_of<R: Request>(&self, newest: i16) -> Result<i16, ClientError> {
        let Some((low, high)) = self.versions.get(&R::KEY).copied() else {
            return Err(self.cannot::<R>("the broker does not know it"));
        };
        let version = high.min(R::VERSIONS.max).min(newest);
        if version < low.max(R::VERSIONS.min) {
            return Err(self.cannot::<R>("the broker speaks other versions of it"));
        }
        Ok(version)
    }

    /// Sends `request` at the newest version that both sides know and waits for the answer.
    pub(crate) async fn call<R: Request>(&self, request: &R, limit: Duration) -> Result<R::Response, ClientError> {
        self.call_at(self.version_of::<R>(i16::MAX)?, request, limit).await
    }

    /// As [`Connection::call`], at the version `version`.
    pub(crate) async fn call_at<R: Request>(
        &self,
        version: i16,
        request: &R,
        limit: Duration,
    ) -> Result<R::Response, ClientError> {
        let mut body = BytesMut::new();
        let refused = |_| self.cannot::<R>("it cannot be written in the version that the broker speaks");
        request.encode(&mut body, version).map_err(refused)?;
        self.call_encoded::<R>(version, &[body.freeze()], limit, None).await
    }

    /// As [`Connection::call_at`], of a request whose body is in pieces that are sent from where they lie, and no byte of them while the
    /// `lease` does not hold.
    pub(crate) async fn call_encoded<R: Request>(
        &self,
        version: i16,
        body: &[Bytes],
        limit: Duration,
        lease: Option<&Lease>,
    ) -> Result<R::Response, ClientError> {
        // Whoever gives up waiting, here or above, leaves a connection that may be dead, or half a frame on it: nobody uses it
        // again.
        let mut unanswered = CloseUnlessAnswered { queue: &self.queue, answered: false };
        let exchange = async { Ok::<_, ClientError>(self.send::<R>(version, body, lease).await?.await) };
        let frame = timeout(limit, exchange).await;
        let frame = frame.map_err(|_| ClientError::TimedOut { request: name::<R>().to_owned() })??;
        unanswered.answered = true;
        let mut frame = frame.map_err(|_| unavailable(&self.address, "the connection was closed"))?;
        let malformed = |_| self.cannot::<R>("the answer cannot be understood");
        // Not the request's header version.
        ResponseHeader::decode(&mut frame, R::Response::header_version(version)).map_err(malformed)?;
        let response = R::Response::decode(&mut frame, version).map_err(malformed)?;
        if frame.has_remaining() {
            Err(self.cannot::<R>("the answer is longer than it should be"))
        } else {
            Ok(response)
        }
    }

    /// Sends a request that the broker does not answer, in pieces as [`Connection::call_encoded`] has them.
    pub(crate) async fn tell_encoded<R: Request>(
        &self,
        version: i16,
        body: &[Bytes],
        lease: Option<&Lease>,
    ) -> Result<(), ClientError> {
        let mut cut_short = CloseUnlessAnswered { queue: &self.queue, answered: false };
        self.write::<R>(version, body, None, lease).await?;
        cut_short.answered = true;
        Ok(())
    }

    async fn send<R: Request>(
        &self,
        version: i16,
        body: &[Bytes],
        lease: Option<&Lease>,
    ) -> Result<oneshot::Receiver<Bytes>, ClientError> {
        let (answer, receiver) = oneshot::channel();
        self.write::<R>(version, body, Some(answer), lease).await?;
        Ok(receiver)
    }

    async fn write<R: Request>(
        &self,
        version: i16,
        body: &[Bytes],
        answer: Option<oneshot::Sender<Bytes>>,
        lease: Option<&Lease>,
    ) -> Result<(), ClientError> {
        let mut writer = self.writer.lock().await;
        let correlation_id = writer.next_id;
        writer.next_id = writer.next_id.wrapping_add(1);
        let head = self.head::<R>(version, body.iter().map(Bytes::len).sum(), correlation_id)?;
        match self.queue.lock().as_mut() {
            Some(waiting) => waiting.extend(answer.map(|answer| Waiting { correlation_id, answer })),
            None => return Err(unavailable(&self.address, "the connection was closed")),
        }
        let written = write_all(&mut writer.socket, &head, body, lease).await;
        written.map_err(|error| unavailable(&self.address, error))
    }

    /// What stands before the body of a request: the length of the frame, and the request's header.
    fn head<R: Request>(&self, version: i16, body: usize, correlation_id: i32) -> Result<BytesMut, ClientError> {
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(correlation_id)
            .with_client_id(Some(self.client_id.clone()));
        let mut head = BytesMut::new();
        head.put_i32(0);
        let refused = |_| self.cannot::<R>("it cannot be written in the version that the broker speaks");
        header.encode(&mut head, R::header_version(version)).map_err(refused)?;
        let length = i32::try_from(head.len() - 4 + body).map_err(|_| self.cannot::<R>("it is too long"))?;
        if let Some(prefix) = head.get_mut(..4) {
            prefix.copy_from_slice(&length.to_be_bytes());
        }
        Ok(head)
    }

    async fn learn_versions(&mut self, limit: Duration) -> Result<(), ClientError> {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("headwater"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let response = self.call_at(3, &request, limit).await?;
        if let Some(error) = of_code(response.error_code, About::Request("ApiVersions")) {
            return Err(error);
        }
        self.versions = response.api_keys.iter().map(|key| (key.api_key, (key.min_version, key.max_version))).collect();
        let transactions = response.finalized_features.iter().find(|feature| &*feature.name == "transaction.version");
        self.transaction_version = transactions.map_or(0, |feature| feature.max_version_level);
        Ok(())
    }

    fn cannot<R: Request>(&self, why: &str) -> ClientError {
        ClientError::Broker {
            code: 35,
            message: format!("{} to {}: {why}", name::<R>(), self.address),
            retriable: false,
        }
    }
}

/// `JoinGroup` of `kafka_protocol::..::JoinGroupRequest`.
fn name<R>() -> &'static str {
    let full = std::any::type_name::<R>();
    full.rsplit("::").next().unwrap_or(full).trim_end_matches("Request")
}

/// Closes the connection when a call ends before its answer has come.
struct CloseUnlessAnswered<'a> {
    queue: &'a Queue,
    answered: bool,
}

impl Drop for CloseUnlessAnswered<'_> {
    fn drop(&mut self) {
        if !self.answered {
            *self.queue.lock() = None;
        }
    }
}

impl Queue {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<VecDeque<Waiting>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes `head` and `body` one after another, from where they lie. It ends as soon as the `lease` does: of half a frame nothing is
/// done by whoever gets it.
async fn write_all(
    socket: &mut OwnedWriteHalf,
    head: &[u8],
    body: &[Bytes],
    lease: Option<&Lease>,
) -> std::io::Result<()> {
    let pieces = std::iter::once(head).chain(body.iter().map(|piece| &**piece));
    let mut slices: Vec<IoSlice<'_>> = pieces.map(IoSlice::new).collect();
    let mut left = &mut slices[..];
    while !left.is_empty() {
        // The process may have been frozen anywhere before this, for any time.
        if let Some(Err(unconfirmed)) = lease.map(Lease::check) {
            return Err(std::io::Error::other(unconfirmed));
        }
        match socket.try_write_vectored(left) {
            Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => socket.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Ends, and with it all who wait, when the broker closes the connection or answers out of order.
async fn read_answers(mut reader: OwnedReadHalf, queue: Arc<Queue>) {
    let why = read_until_closed(&mut reader, &queue).await;
    tracing::debug!(%why, "a connection ended");
    *queue.lock() = None;
}

async fn read_until_closed(reader: &mut OwnedReadHalf, queue: &Queue) -> String {
    let frames = Frames::default();
    loop {
        let length = match reader.read_i32().await {
            Ok(length) => length,
            Err(error) => return error.to_string(),
        };
        let length = match usize::try_from(length) {
            Ok(length) if (4..=FRAME_LIMIT).contains(&length) => length,
            _ => return format!("a frame of {length} bytes"),
        };
        let frame = match frames.read(reader, length).await {
            Ok(frame) => frame,
            Err(error) => return error.to_string(),
        };
        let Some(head) = frame.first_chunk::<4>() else { return "a frame without a head".to_owned() };
        let id = i32::from_be_bytes(*head);
        let Some(first) = queue.lock().as_mut().and_then(VecDeque::pop_front) else {
            return format!("an answer ({id}) that nobody waits for");
        };
        if first.correlation_id != id {
            return format!("answer {id} before {}", first.correlation_id);
        }
        // The caller may have given up; the order is kept all the same.
        let _ = first.answer.send(frame);
    }
}

#[cfg(test)]
mod tests;
