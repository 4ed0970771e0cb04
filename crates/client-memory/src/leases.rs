//! What members' connections hear by themselves: heartbeats that clients send beside their callers, and that a join is kept waiting.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use headwater_client::{GroupIdentity, Lease};
use headwater_record::Timestamp;

use crate::cluster::State;
use crate::group::{GroupState, Token};

/// The lease of one connection.
#[derive(Debug)]
pub(crate) struct Leased {
    pub(crate) lease: Lease,
    pub(crate) client_id: String,
    pub(crate) group: String,
    pub(crate) identity: GroupIdentity,
    /// Until when heartbeats are sent for the member.
    pub(crate) kept_until: Option<Timestamp>,
    /// Whether a join or a sync of its waits.
    pub(crate) waits: bool,
}

/// The leases of all connections.
#[derive(Debug, Default)]
pub(crate) struct Leases(BTreeMap<Token, Leased>);

impl Leases {
    pub(crate) fn insert(&mut self, token: Token, leased: Leased) {
        self.0.insert(token, leased);
    }

    pub(crate) fn remove(&mut self, token: Token) {
        self.0.remove(&token);
    }

    pub(crate) fn get_mut(&mut self, token: Token) -> Option<&mut Leased> {
        self.0.get_mut(&token)
    }
}

impl State {
    /// What clients have asked by themselves up to now, and heard. Whoever is no member any more hears of that when it asks itself: a
    /// process that was frozen has asked nothing.
    pub(crate) fn settle_leases(&mut self, now: Timestamp) {
        for leased in self.leases.0.values() {
            let asked = leased.kept_until.map(|until| until.min(now)).or_else(|| leased.waits.then_some(now));
            if let Some(asked) = asked
                && !self.faults.is_cut_off(&leased.client_id)
                && let Some(group) = self.groups.get(&leased.group)
                && group.validate_member(&leased.identity).is_ok()
            {
                leased.lease.confirmed(asked, group.state() == GroupState::PreparingRebalance);
            }
        }
    }
}
