//! The requests of a member, one after the other, with nothing decided for the caller.
#![forbid(unsafe_code)]

use std::sync::PoisonError;
use std::time::Duration;

use bytes::Bytes;
use headwater_client::{ClientError, GroupIdentity, GroupRequest, GroupResponse, JoinRequest, Joined};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::join_group_response::JoinGroupResponse;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest};
use kafka_protocol::protocol::StrBytes;

use super::Shared;
use crate::coordinator::{Coordinator, patience};
use crate::error::About;

const MEMBER_ID_REQUIRED: i16 = 79;
/// A sync waits for the leader, at most as long as a join waits for members; the request does not say how long that is.
const SYNC_PATIENCE: Duration = Duration::from_mins(10);

pub(super) fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

fn group_id(identity: &GroupIdentity) -> GroupId {
    GroupId(text(&identity.group))
}

fn instance_id(identity: &GroupIdentity) -> Option<StrBytes> {
    identity.instance_id.as_deref().map(text)
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

/// Sends `request` and waits for its answer.
pub(super) async fn answer(shared: &Shared, request: GroupRequest) -> GroupResponse {
    match request {
        GroupRequest::Join(request) => {
            let (sent, session, rebalance) = (shared.lease.now(), request.session_timeout, request.rebalance_timeout);
            let result = shared.group.after(join(shared, request).await).await;
            match &result {
                Ok(_) => shared.lease.granted(sent, session, rebalance),
                Err(error) => shared.lease.refused(error),
            }
            GroupResponse::Join(result)
        }
        GroupRequest::Sync { identity, protocol_type, protocol, assignments } => {
            let sent = shared.lease.now();
            let result = sync(shared, &identity, &protocol_type, &protocol, assignments).await;
            match &result {
                Ok(_) => shared.lease.confirmed(sent, false),
                Err(error) => shared.lease.refused(error),
            }
            GroupResponse::Sync(shared.group.after(result).await)
        }
        GroupRequest::Heartbeat(identity) => {
            let sent = shared.lease.now();
            let result = heartbeat(&shared.group, &identity).await;
            shared.lease.heartbeat(sent, &result);
            GroupResponse::Heartbeat(result)
        }
        GroupRequest::Leave { identity, reason } => {
            let result = leave(shared, &identity, &reason).await;
            GroupResponse::Leave(shared.offsets.after(result).await)
        }
    }
}

async fn join(shared: &Shared, mut request: JoinRequest) -> Result<Joined, ClientError> {
    if request.identity.member_id.is_empty() {
        let mut reserved = shared.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        request.identity.member_id = std::mem::take(&mut reserved);
    }
    let mut response = join_once(shared, &request).await?;
    if response.error_code == MEMBER_ID_REQUIRED {
        // The coordinator has reserved an id; only the join that names it counts.
        request.identity.member_id = response.member_id.to_string();
        response = match join_once(shared, &request).await {
            Ok(response) => response,
            Err(error) => {
                *shared.reserved.lock().unwrap_or_else(PoisonError::into_inner) = request.identity.member_id;
                return Err(error);
            }
        };
    }
    shared.group.check(response.error_code, About::Request("JoinGroup")).await?;
    Ok(joined(request.identity, response))
}

async fn join_once(shared: &Shared, request: &JoinRequest) -> Result<JoinGroupResponse, ClientError> {
    let protocols = request.protocols.iter().map(|(name, metadata)| {
        JoinGroupRequestProtocol::default().with_name(text(name)).with_metadata(Bytes::copy_from_slice(metadata))
    });
    let message = JoinGroupRequest::default()
        .with_group_id(group_id(&request.identity))
        .with_session_timeout_ms(millis(request.session_timeout))
        .with_rebalance_timeout_ms(millis(request.rebalance_timeout))
        .with_member_id(text(&request.identity.member_id))
        .with_group_instance_id(instance_id(&request.identity))
        .with_protocol_type(text(&request.protocol_type))
        .with_protocols(protocols.collect())
        .with_reason(request.reason.as_deref().map(text));
    let connection = shared.group.connection().await?;
    connection.call(&message, patience(request.rebalance_timeout)).await
}

fn joined(mut identity: GroupIdentity, response: JoinGroupResponse) -> Joined {
    identity.member_id = response.member_id.to_string();
    identity.generation = response.generation_id;
    let members = response.members.into_iter().map(|member| {
        let instance = member.group_instance_id.map(|id| id.to_string());
        (member.member_id.to_string(), instance, member.metadata.to_vec())
    });
    Joined {
        identity,
        leader: response.leader.to_string(),
        protocol: response.protocol_name.map(|name| name.to_string()).unwrap_or_default(),
        members: members.collect(),
        skip_assignment: response.skip_assignment,
    }
}

async fn sync(
    shared: &Shared,
    identity: &GroupIdentity,
    protocol_type: &str,
    protocol: &str,
    assignments: Vec<(String, Vec<u8>)>,
) -> Result<Vec<u8>, ClientError> {
    let assignments = assignments.into_iter().map(|(member, assignment)| {
        SyncGroupRequestAssignment::default()
            .with_member_id(StrBytes::from_string(member))
            .with_assignment(assignment.into())
    });
    let message = SyncGroupRequest::default()
        .with_group_id(group_id(identity))
        .with_generation_id(identity.generation)
        .with_member_id(text(&identity.member_id))
        .with_group_instance_id(instance_id(identity))
        .with_protocol_type(Some(text(protocol_type)))
        .with_protocol_name(Some(text(protocol)))
        .with_assignments(assignments.collect());
    let response = shared.group.connection().await?.call(&message, SYNC_PATIENCE).await?;
    shared.group.check(response.error_code, About::Request("SyncGroup")).await?;
    Ok(response.assignment.to_vec())
}

pub(super) async fn heartbeat(coordinator: &Coordinator, identity: &GroupIdentity) -> Result<(), ClientError> {
    let message = HeartbeatRequest::default()
        .with_group_id(group_id(identity))
        .with_generation_id(identity.generation)
        .with_member_id(text(&identity.member_id))
        .with_group_instance_id(instance_id(identity));
    let call = async {
        let response = coordinator.connection().await?.call(&message, coordinator.servers().request_timeout).await?;
        coordinator.check(response.error_code, About::Request("Heartbeat")).await
    };
    let result = call.await;
    coordinator.after(result).await
}

async fn leave(shared: &Shared, identity: &GroupIdentity, reason: &str) -> Result<(), ClientError> {
    let member = MemberIdentity::default()
        .with_member_id(text(&identity.member_id))
        .with_group_instance_id(instance_id(identity))
        .with_reason(Some(text(reason)));
    let message = LeaveGroupRequest::default().with_group_id(group_id(identity)).with_members(vec![member]);
    let connection = shared.offsets.connection().await?;
    let response = connection.call(&message, shared.offsets.servers().request_timeout).await?;
    shared.offsets.check(response.error_code, About::Request("LeaveGroup")).await?;
    // The outer code is 0 even when the one member was unknown.
    for member in &response.members {
        shared.offsets.check(member.error_code, About::Request("LeaveGroup")).await?;
    }
    Ok(())
}
