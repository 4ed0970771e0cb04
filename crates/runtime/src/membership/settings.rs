//! What a member is told once: who it is and how patient everyone is.

use std::time::Duration;

use uuid::Uuid;

use crate::assignment::HostPort;

/// Settings of one member, that is, of one stream thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberSettings {
    /// `application.id`.
    pub group: String,
    /// `group.instance.id` with the thread's number (`<id>-1`), for a static member.
    pub instance_id: Option<String>,
    /// The id of the process, the same for all of its threads.
    pub process_id: Uuid,
    /// `application.server`.
    pub end_point: Option<HostPort>,
    /// `client.tag.*`, by name.
    pub client_tags: Vec<(String, String)>,
    /// `client.rack`.
    pub rack: Option<String>,
    /// `session.timeout.ms`: without a heartbeat for so long the coordinator removes a member.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`.
    pub heartbeat_interval: Duration,
    /// `max.poll.interval.ms`: how long the thread may be away, and how long a rebalance waits for it.
    pub max_poll_interval: Duration,
    /// `retry.backoff.ms`: the pause before a failed request is sent again.
    pub retry_backoff: Duration,
    /// `request.timeout.ms`: how long an answer may take, for those that do not wait for other members.
    pub request_timeout: Duration,
}

impl MemberSettings {
    /// Kafka's defaults for a member of `group` in the process `process_id`.
    pub fn new(group: impl Into<String>, process_id: Uuid) -> Self {
        MemberSettings {
            group: group.into(),
            instance_id: None,
            process_id,
            end_point: None,
            client_tags: Vec::new(),
            rack: None,
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            max_poll_interval: Duration::from_mins(5),
            retry_backoff: Duration::from_millis(100),
            request_timeout: Duration::from_secs(30),
        }
    }
}
