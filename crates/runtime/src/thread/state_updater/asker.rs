//! What the thread asks of the cluster without waiting: questions go to the worker beside it, answers are heard in a later turn.

use std::sync::mpsc::{Receiver, SyncSender};

use super::Order;
use crate::thread::question::{Answer, Question};

/// So many questions may be under way, or their answers wait. It is one of each kind, unless an old one is of no use any more.
pub(in crate::thread) const MOST_QUESTIONS: usize = 16;

/// The thread's end of the way to whoever asks for it.
#[derive(Debug)]
pub(in crate::thread) struct Asker {
    pub(in crate::thread) orders: SyncSender<Order>,
    pub(in crate::thread) answers: Receiver<Answer>,
    /// How many questions have no answer yet.
    pub(in crate::thread) under_way: usize,
}

impl Asker {
    /// Has it asked. Returns whether there was room for the question.
    pub(in crate::thread) fn ask(&mut self, question: Question) -> bool {
        let is_asked = self.under_way < MOST_QUESTIONS && self.orders.try_send(Order::Ask(question)).is_ok();
        self.under_way += usize::from(is_asked);
        is_asked
    }

    /// The next answer that has come.
    pub(in crate::thread) fn answer(&mut self) -> Option<Answer> {
        let answer = self.answers.try_recv().ok()?;
        self.under_way -= 1;
        Some(answer)
    }

    /// Whether an answer is to come.
    pub(in crate::thread) fn is_waiting(&self) -> bool {
        self.under_way > 0
    }
}
