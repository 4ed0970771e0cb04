//! What the thread asks of the cluster without waiting: questions go to the worker beside it, answers are heard in a later turn.

use std::sync::mpsc::{Receiver, SyncSender};

use headwater_client::{ClientError, StartAt};
use headwater_record::{Offset, TopicPartition};
use headwater_topology::node::OffsetReset;

use super::cluster::{Beginnings, Plan};
use super::state_updater::Order;
use crate::assignment::GroupView;
use crate::internal_topics::{InternalTopicsError, KnownTopics};
use crate::task::TaskSpec;

/// So many questions may be under way, or their answers wait. It is one of each kind, unless an old one is of no use any more.
pub(super) const MOST_QUESTIONS: usize = 16;

/// What is asked of the cluster.
#[derive(Debug)]
pub(super) enum Question {
    /// What the topics are that the topology reads.
    Topics,
    /// Who gets which task of this group.
    Plan {
        /// Which decision it is.
        number: u64,
        group: GroupView,
    },
    /// Where the inputs of these tasks begin.
    Beginnings {
        /// What the thread's tasks were then.
        epoch: u64,
        specs: Vec<TaskSpec>,
    },
    /// Where to go on in partitions whose position is not in the log any more, as their sources say.
    Resets {
        /// What the thread's tasks were then.
        epoch: u64,
        lost: Vec<(TopicPartition, Offset, Option<OffsetReset>)>,
    },
    /// To delete the records before these offsets.
    Purge(Vec<(TopicPartition, Offset)>),
}

/// What the cluster answers.
#[derive(Debug)]
pub(super) enum Answer {
    Topics(Result<KnownTopics, ClientError>),
    Plan {
        number: u64,
        plan: Result<Plan, InternalTopicsError>,
    },
    Beginnings {
        epoch: u64,
        specs: Vec<TaskSpec>,
        beginnings: Result<Beginnings, ClientError>,
    },
    Resets {
        epoch: u64,
        found: Vec<(TopicPartition, Offset, Result<StartAt, ClientError>)>,
    },
    /// Or not: that it fails costs disk space, nothing else.
    Purged,
}

/// The thread's end of the way to whoever asks for it.
#[derive(Debug)]
pub(super) struct Asker {
    pub(super) orders: SyncSender<Order>,
    pub(super) answers: Receiver<Answer>,
    /// How many questions have no answer yet.
    pub(super) under_way: usize,
}

impl Asker {
    /// Has it asked. Returns whether there was room for the question.
    pub(super) fn ask(&mut self, question: Question) -> bool {
        let is_asked = self.under_way < MOST_QUESTIONS && self.orders.try_send(Order::Ask(question)).is_ok();
        self.under_way += usize::from(is_asked);
        is_asked
    }

    /// The next answer that has come.
    pub(super) fn answer(&mut self) -> Option<Answer> {
        let answer = self.answers.try_recv().ok()?;
        self.under_way -= 1;
        Some(answer)
    }

    /// Whether an answer is to come.
    pub(super) fn is_waiting(&self) -> bool {
        self.under_way > 0
    }
}
