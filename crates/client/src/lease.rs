//! For how long a member may take its place in the group for its own.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use headwater_record::{Clock, Timestamp};

use crate::{ClientError, GroupError};

/// Until when a member's coordinator cannot have given its tasks to others, as far as the member knows.
///
/// The connection to the coordinator ([`GroupMembership::lease`](crate::GroupMembership::lease)) notes what it is answered, a producer
/// that [obeys](crate::Producer::obey) it sends nothing while it does not hold. Clones are the same lease.
///
/// A coordinator gives tasks away when it has heard nothing of their member for `session.timeout.ms`, and when the member has not joined
/// again `max.poll.interval.ms` after a rebalance began. Both are counted here from before the last request was sent whose answer says
/// that it had not come to that: what the coordinator counts from is later. A join that is under way counts for nothing until it is
/// answered, since nobody knows whether it has arrived; other requests say meanwhile that the place is kept.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use headwater::client::Lease;
/// use headwater::memory::ManualClock;
///
/// let clock = ManualClock::default();
/// let lease = Lease::new(Arc::new(clock.clone()));
/// assert!(lease.check().is_err(), "no member yet");
/// lease.granted(lease.now(), Duration::from_secs(45), Duration::from_secs(300));
/// clock.advance(Duration::from_secs(44));
/// assert!(lease.check().is_ok());
/// clock.advance(Duration::from_secs(1));
/// assert!(lease.check().is_err(), "the coordinator may have given the place away");
/// ```
#[derive(Clone)]
pub struct Lease {
    /// One that goes on while the process is frozen or the machine suspended.
    clock: Arc<dyn Clock>,
    stands: Arc<Mutex<Stands>>,
}

/// What the coordinator has said.
#[derive(Debug, Default)]
struct Stands {
    /// `session.timeout.ms`, and how long a rebalance waits for the member.
    session: Duration,
    rebalance: Duration,
    /// When the last request was sent with which the session began anew.
    heard: Option<Timestamp>,
    /// When the last one was sent whose answer says that no rebalance waited for the member.
    settled: Option<Timestamp>,
    /// When the place was lost, or given up.
    ended: Option<Timestamp>,
}

impl Stands {
    fn until(&self) -> Option<Timestamp> {
        Some(self.heard?.plus(self.session).min(self.settled?.plus(self.rebalance)))
    }
}

impl Lease {
    /// A lease that nobody has granted yet, by `clock`: one that goes on while the process is frozen.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Lease { clock, stands: Arc::default() }
    }

    /// The time by its clock, to be noted before a request is sent.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A join that was sent at `sent` was accepted, by which a place that was lost before is no longer.
    pub fn granted(&self, sent: Timestamp, session_timeout: Duration, rebalance_timeout: Duration) {
        let mut stands = self.lock();
        if stands.ended.is_some_and(|ended| sent < ended) {
            return;
        }
        *stands = Stands {
            session: session_timeout,
            rebalance: rebalance_timeout,
            heard: stands.heard.max(Some(sent)),
            settled: stands.settled.max(Some(sent)),
            ended: None,
        };
    }

    /// A request that was sent at `sent` was accepted, and with it the session began anew. When the answer says that the group is
    /// `rebalancing`, or does not say that it is not, the member is waited for no longer than was known before.
    pub fn confirmed(&self, sent: Timestamp, rebalancing: bool) {
        let mut stands = self.lock();
        if stands.ended.is_some() {
            return;
        }
        stands.heard = stands.heard.max(Some(sent));
        if !rebalancing {
            stands.settled = stands.settled.max(Some(sent));
        }
    }

    /// The answer to a heartbeat that was sent at `sent`.
    pub fn heartbeat(&self, sent: Timestamp, answer: &Result<(), ClientError>) {
        match answer {
            Ok(()) => self.confirmed(sent, false),
            Err(ClientError::Group(GroupError::RebalanceInProgress)) => self.confirmed(sent, true),
            Err(error) => self.refused(error),
        }
    }

    /// A request was answered with `error`: the lease ends if that says that the place is another's, or nobody's.
    pub fn refused(&self, error: &ClientError) {
        if let ClientError::Group(
            GroupError::UnknownMember
            | GroupError::IllegalGeneration
            | GroupError::FencedInstance
            | GroupError::StaleEpoch,
        ) = error
        {
            self.end();
        }
    }

    /// The place is lost, or given up. Only a join that is sent from now on makes it good.
    pub fn end(&self) {
        let now = self.now();
        self.lock().ended = Some(now);
    }

    /// Whether the tasks are surely the member's still.
    ///
    /// # Errors
    /// [`GroupError::Unconfirmed`] when the coordinator was not heard of for too long, [`GroupError::UnknownMember`] when it is known that
    /// they are not.
    pub fn check(&self) -> Result<(), GroupError> {
        let now = self.now();
        let stands = self.lock();
        match stands.until() {
            _ if stands.ended.is_some() => Err(GroupError::UnknownMember),
            Some(until) if now < until => Ok(()),
            _ => Err(GroupError::Unconfirmed),
        }
    }

    /// For how long the coordinator has not answered, if that is longer than a session: `None` as long as the silence can be fine, and
    /// where there is no place in the group.
    pub fn silent_for(&self) -> Option<Duration> {
        let now = self.now();
        let stands = self.lock();
        let silent = now.since(stands.heard.filter(|_| stands.ended.is_none())?);
        (silent >= stands.session).then_some(silent)
    }

    fn lock(&self) -> MutexGuard<'_, Stands> {
        self.stands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stands = self.lock();
        f.debug_struct("Lease").field("until", &stands.until()).field("ended", &stands.ended).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    const SESSION: Duration = Duration::from_secs(10);
    const REBALANCE: Duration = Duration::from_secs(25);

    #[derive(Clone, Debug, Default)]
    struct Hand(Arc<AtomicI64>);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.load(Ordering::SeqCst))
        }
    }

    impl Hand {
        fn set(&self, seconds: i64) -> Timestamp {
            self.0.store(seconds * 1_000, Ordering::SeqCst);
            self.now()
        }
    }

    fn granted() -> (Hand, Lease) {
        let clock = Hand::default();
        let lease = Lease::new(Arc::new(clock.clone()));
        lease.granted(clock.set(100), SESSION, REBALANCE);
        (clock, lease)
    }

    fn holds_until(clock: &Hand, lease: &Lease, seconds: i64) {
        clock.0.store(seconds * 1_000 - 1, Ordering::SeqCst);
        assert_eq!(lease.check(), Ok(()), "just before {seconds}");
        clock.set(seconds);
        assert_eq!(lease.check(), Err(GroupError::Unconfirmed), "at {seconds}");
    }

    #[test]
    fn it_is_counted_from_when_a_request_was_sent() {
        let (clock, lease) = granted();
        let sent = clock.set(103);
        clock.set(109);
        lease.heartbeat(sent, &Ok(()));
        holds_until(&clock, &lease, 113);
        lease.heartbeat(Timestamp::from_millis(101_000), &Ok(()));
        assert_eq!(lease.check(), Err(GroupError::Unconfirmed), "an earlier request says nothing new");
    }

    #[test]
    fn silence_is_told_when_it_is_longer_than_a_session() {
        let (clock, lease) = granted();
        assert_eq!(Lease::new(Arc::new(clock.clone())).silent_for(), None, "nobody's place");
        clock.set(109);
        assert_eq!(lease.silent_for(), None);
        clock.set(112);
        assert_eq!(lease.silent_for(), Some(Duration::from_secs(12)));
        lease.heartbeat(clock.now(), &Ok(()));
        assert_eq!(lease.silent_for(), None);
        clock.set(130);
        lease.end();
        assert_eq!(lease.silent_for(), None, "the place is given up");
    }

    #[test]
    fn in_a_rebalance_the_member_is_waited_for_no_longer_than_that_lasts() {
        let (clock, lease) = granted();
        let rebalances = || Err(GroupError::RebalanceInProgress.into());
        for seconds in [105, 110, 115, 120] {
            lease.heartbeat(clock.set(seconds), &rebalances());
        }
        holds_until(&clock, &lease, 125);
        lease.heartbeat(clock.set(126), &rebalances());
        assert_eq!(lease.check(), Err(GroupError::Unconfirmed), "it may be over without this member");
        lease.heartbeat(clock.set(127), &Ok(()));
        holds_until(&clock, &lease, 137);
    }

    #[test]
    fn a_lost_place_is_made_good_by_a_later_join_alone() {
        let (clock, lease) = granted();
        let before = clock.set(101);
        clock.set(102);
        lease.refused(&GroupError::UnknownMember.into());
        assert_eq!(lease.check(), Err(GroupError::UnknownMember));
        lease.heartbeat(clock.now(), &Ok(()));
        lease.granted(before, SESSION, REBALANCE);
        assert_eq!(lease.check(), Err(GroupError::UnknownMember), "what was sent before says nothing");
        lease.granted(clock.set(102), SESSION, REBALANCE);
        assert_eq!(lease.check(), Ok(()));
    }

    #[test]
    fn what_is_not_about_the_place_changes_nothing() {
        let (clock, lease) = granted();
        lease.refused(&ClientError::Group(GroupError::RebalanceInProgress));
        lease.heartbeat(clock.set(105), &Err(ClientError::TimedOut { request: "Heartbeat".to_owned() }));
        holds_until(&clock, &lease, 110);
    }
}
