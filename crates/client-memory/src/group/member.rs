//! One member of a group, and when its session ends.
#![forbid(unsafe_code)]

use std::time::Duration;

use headwater_client::JoinRequest;
use headwater_record::Timestamp;

use super::Token;

/// How long a member may wait in its first join: Kafka's `CLASSIC_GROUP_NEW_MEMBER_JOIN_TIMEOUT_MS`.
const NEW_MEMBER_JOIN_TIMEOUT: Duration = Duration::from_mins(5);

/// Heartbeats that the member's client sends by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeptAlive {
    /// Until when it does.
    pub(crate) until: Timestamp,
    /// Whether the network lets none through.
    pub(crate) cut_off: bool,
}

/// One member.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) protocols: Vec<(String, Vec<u8>)>,
    pub(crate) assignment: Vec<u8>,
    /// Whether it has not been through a rebalance yet.
    pub(super) is_new: bool,
    pub(super) last_heard: Timestamp,
    pub(super) kept_alive: Option<KeptAlive>,
    /// Its join that waits.
    pub(super) joining: Option<Token>,
    /// Its sync that waits.
    pub(super) syncing: Option<Token>,
}

impl Member {
    pub(super) fn new(id: String, client_id: &str, request: &JoinRequest, now: Timestamp) -> Self {
        Member {
            id,
            instance_id: request.identity.instance_id.clone(),
            client_id: client_id.to_owned(),
            session_timeout: request.session_timeout,
            rebalance_timeout: request.rebalance_timeout,
            protocols: request.protocols.clone(),
            assignment: Vec::new(),
            is_new: true,
            last_heard: now,
            kept_alive: None,
            joining: None,
            syncing: None,
        }
    }

    /// Takes over what a later join says, and waits.
    pub(super) fn join_again(&mut self, request: &JoinRequest, token: Token) {
        self.protocols.clone_from(&request.protocols);
        self.session_timeout = request.session_timeout;
        self.rebalance_timeout = request.rebalance_timeout;
        self.joining = Some(token);
    }

    /// Its session begins anew.
    pub(super) fn heard(&mut self, now: Timestamp) {
        self.last_heard = self.last_heard.max(now);
    }

    /// When it is removed if nothing more is heard of it. `None` while it waits itself.
    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        if self.is_new {
            return Some(self.last_heard.plus(NEW_MEMBER_JOIN_TIMEOUT));
        }
        if self.joining.is_some() || self.syncing.is_some() {
            return None;
        }
        let heard = match self.kept_alive {
            Some(KeptAlive { until, cut_off: false }) => self.last_heard.max(until),
            _ => self.last_heard,
        };
        Some(heard.plus(self.session_timeout))
    }

    /// Heartbeats of the client's own count up to now and no longer.
    pub(super) fn settle_kept_alive(&mut self, now: Timestamp) {
        if let Some(KeptAlive { until, cut_off: false }) = self.kept_alive {
            self.heard(now.min(until));
        }
    }

    /// The subscription bytes for `protocol`.
    pub(crate) fn metadata(&self, protocol: &str) -> Option<&[u8]> {
        self.protocols.iter().find(|(name, _)| name == protocol).map(|(_, metadata)| metadata.as_slice())
    }
}
