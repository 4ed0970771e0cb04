//! What all clients have in common: who they are, and how a request reaches the cluster.
#![forbid(unsafe_code)]

use std::sync::Arc;

use headwater_client::{ClientConfig, ClientError};
use headwater_record::{Deadline, Timestamp};

use crate::cluster::{Shared, State};
use crate::fault::{Api, Verdict, lost};

/// One client's way to the cluster.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) shared: Arc<Shared>,
    /// Its `client.id`.
    pub(crate) id: String,
}

impl Client {
    pub(crate) fn new(shared: Arc<Shared>, config: &ClientConfig, default_id: &str) -> Self {
        let id = config.value("client.id").unwrap_or(default_id).to_owned();
        Client { shared, id }
    }

    /// Sends a request and waits for the answer until `until`, where answers are late: `answer` is what the cluster does with the
    /// request when it arrives.
    pub(crate) fn request<T>(
        &self,
        api: Api,
        until: Deadline,
        answer: impl FnOnce(&mut State, Timestamp) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        self.exchange(until, api, |state, now, client_id| match state.faults.verdict(api, client_id) {
            Verdict::Pass | Verdict::Repeat(_) => answer(state, now),
            Verdict::Fail(error) => Err(error),
            Verdict::LoseResponse => answer(state, now).and_then(|_| Err(lost(api))),
            Verdict::Delay(_) => Err(lost(api)),
        })
    }

    /// As [`Client::request`], for a request that may also arrive later, or again: see [`submit`].
    pub(crate) fn submit<T>(
        &self,
        api: Api,
        until: Deadline,
        request: impl Fn(&mut State, Timestamp) -> Result<T, ClientError> + Send + 'static,
    ) -> Result<T, ClientError> {
        self.exchange(until, api, |state, now, client_id| submit(state, api, client_id, now, request))
    }

    fn exchange<T>(
        &self,
        until: Deadline,
        api: Api,
        send: impl FnOnce(&mut State, Timestamp, &str) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let now = self.shared.clock.now();
        let mut state = self.shared.lock();
        state.advance(now);
        let result = send(&mut state, now, &self.id);
        let delay = state.faults.delay(&self.id);
        drop(state);
        self.shared.notify();
        if delay.is_some_and(|delay| !delay.wait(delay.due(), until)) {
            return Err(lost(api));
        }
        result
    }
}

/// What becomes of a producer's request that is sent now: it may also arrive later, or again.
///
/// # Errors
/// As the cluster answers, [`ClientError::TimedOut`] where the answer is lost.
pub(crate) fn submit<T>(
    state: &mut State,
    api: Api,
    client_id: &str,
    now: Timestamp,
    request: impl Fn(&mut State, Timestamp) -> Result<T, ClientError> + Send + 'static,
) -> Result<T, ClientError> {
    match state.faults.verdict(api, client_id) {
        Verdict::Pass => request(state, now),
        Verdict::Fail(error) => Err(error),
        Verdict::LoseResponse => request(state, now).and_then(|_| Err(lost(api))),
        Verdict::Delay(by) => {
            state.faults.send_later(now.plus(by), move |state, now| drop(request(state, now)));
            Err(lost(api))
        }
        Verdict::Repeat(by) => {
            let answer = request(state, now);
            state.faults.send_later(now.plus(by), move |state, now| drop(request(state, now)));
            answer
        }
    }
}

/// A setting that is a whole number of at least `least`.
///
/// # Errors
/// [`ClientError::Config`] for anything else.
pub(crate) fn number(config: &ClientConfig, key: &str, default: usize, least: usize) -> Result<usize, ClientError> {
    match config.value(key) {
        None => Ok(default),
        Some(value) => match value.trim().parse() {
            Ok(number) if number >= least => Ok(number),
            _ => Err(ClientError::Config(format!("{key}: {value:?} is not a whole number of at least {least}"))),
        },
    }
}
