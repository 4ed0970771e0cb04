//! Connections to brokers that are played here: ones that are silent, slow, or late.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use headwater_client::{ClientConfig, ClientError, Lease};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiVersionsResponse, HeartbeatRequest, HeartbeatResponse};
use kafka_protocol::protocol::Encodable;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::Connection;
use crate::clock::SinceBoot;
use crate::config::Servers;
use crate::metadata::Brokers;

/// Ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a caller waits for what does not come.
const IN_VAIN: Duration = Duration::from_millis(50);
const API_VERSIONS: i16 = 18;

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { timeout(PATIENCE, test).await.expect("the test hangs") })
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    (listener, address)
}

fn servers(addresses: &[&str]) -> Servers {
    let config = ClientConfig::new().with("bootstrap.servers", addresses.join(","));
    // Long enough for a broker in this process, whatever else the machine does.
    Servers::of(&config.with("socket.connection.setup.timeout.ms", "2000"), "test").expect("servers")
}

/// Reads a request: what it asks for, and its correlation id. `None` when the client has closed.
async fn request(stream: &mut TcpStream) -> Option<(i16, i32)> {
    let length = stream.read_i32().await.ok()?;
    let mut frame = vec![0; usize::try_from(length).ok()?];
    stream.read_exact(&mut frame).await.ok()?;
    let (api, id) = (frame.get(..2)?.try_into().ok()?, frame.get(4..8)?.try_into().ok()?);
    Some((i16::from_be_bytes(api), i32::from_be_bytes(id)))
}

async fn answer(stream: &mut TcpStream, id: i32, response: &impl Encodable, version: i16) {
    let mut body = BytesMut::new();
    response.encode(&mut body, version).expect("an answer that can be written");
    let mut frame = BytesMut::new();
    frame.put_i32(4 + body.len() as i32);
    frame.put_i32(id);
    frame.extend_from_slice(&body);
    stream.write_all(&frame).await.expect("the client is there");
}

/// Accepts a client and tells it that heartbeats of version 0 are understood.
async fn greet(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().await.expect("a client");
    let (api, id) = request(&mut stream).await.expect("a request");
    assert_eq!(api, API_VERSIONS);
    let heartbeats = ApiVersion::default().with_api_key(12).with_min_version(0).with_max_version(0);
    answer(&mut stream, id, &ApiVersionsResponse::default().with_api_keys(vec![heartbeats]), 3).await;
    stream
}

#[test]
fn a_server_that_accepts_and_is_silent_is_passed_over() {
    run(async {
        let ((silent, first), (listener, second)) = (listen().await, listen().await);
        let accepting = tokio::spawn(async move { silent.accept().await });
        let greeting = tokio::spawn(async move { greet(&listener).await });
        let connection = Brokers::new(servers(&[&first, &second])).any().await.expect("the second answers");
        assert_eq!(connection.address, second);
        assert!(accepting.await.is_ok_and(|accepted| accepted.is_ok()), "the first was asked first");
        greeting.await.expect("the second was asked");
    });
}

#[test]
fn an_answer_that_comes_when_its_caller_has_given_up_reaches_nobody() {
    run(async {
        let (listener, address) = listen().await;
        let played = tokio::spawn(async move { greet(&listener).await });
        let connection = Connection::open(&address, &servers(&[&address])).await.expect("a connection");
        let mut stream = played.await.expect("it was greeted");

        let given_up = connection.call(&HeartbeatRequest::default(), IN_VAIN).await;
        assert!(matches!(given_up, Err(ClientError::TimedOut { .. })), "{given_up:?}");
        let (_, id) = request(&mut stream).await.expect("the heartbeat");
        // Of the group's member that was, this one says that all is well.
        answer(&mut stream, id, &HeartbeatResponse::default(), 0).await;

        let next = connection.call(&HeartbeatRequest::default(), PATIENCE).await;
        assert!(matches!(next, Err(ClientError::Unavailable { .. })), "{next:?}");
        assert!(connection.is_closed());
    });
}

#[test]
fn a_connection_that_is_given_up_is_closed_even_when_the_broker_says_nothing() {
    run(async {
        let (listener, address) = listen().await;
        let played = tokio::spawn(async move { greet(&listener).await });
        let connection = Connection::open(&address, &servers(&[&address])).await.expect("a connection");
        let mut stream = played.await.expect("it was greeted");
        let given_up = connection.call(&HeartbeatRequest::default(), IN_VAIN).await;
        assert!(given_up.is_err());
        request(&mut stream).await.expect("the heartbeat");
        drop(connection);
        assert_eq!(request(&mut stream).await, None, "the client is still there");
        // Both ways: of the answer that begins now, nobody reads a part.
        let mut refused = false;
        for _ in 0..2_000 {
            refused |= stream.write_all(&[1; 4096]).await.is_err();
        }
        assert!(refused, "somebody still reads");
    });
}

#[test]
fn not_a_byte_is_written_once_the_lease_has_ended() {
    run(async {
        let (listener, address) = listen().await;
        let accepting = tokio::spawn(async move { (greet(&listener).await, listener) });
        let connection = Arc::new(Connection::open(&address, &servers(&[&address])).await.expect("it is greeted"));
        let (mut server, _listener) = accepting.await.expect("it was greeted");
        let lease = Lease::new(Arc::new(SinceBoot));
        lease.granted(lease.now(), PATIENCE, PATIENCE);
        // More than the system takes before somebody reads.
        let body = [Bytes::from(vec![0; 32 << 20])];
        let (own, of_call) = (Arc::clone(&connection), lease.clone());
        let calling =
            tokio::spawn(async move { own.call_encoded::<HeartbeatRequest>(0, &body, PATIENCE, Some(&of_call)).await });
        tokio::time::sleep(IN_VAIN).await;
        lease.end();
        // There is room again when somebody reads.
        let reading = tokio::spawn(async move {
            let mut all = Vec::new();
            server.read_to_end(&mut all).await.map(|_| all.len())
        });
        let error = calling.await.expect("no panic").expect_err("it is not sent");
        assert!(error.to_string().contains("does not know this member"), "{error}");
        assert!(connection.is_closed(), "nobody uses it again");
        drop(connection);
        let read = reading.await.expect("no panic").expect("the end");
        assert!(read < 32 << 20, "half a frame, and the end");
    });
}
