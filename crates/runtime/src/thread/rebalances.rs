//! The last rebalances that the thread went through.

use std::collections::VecDeque;

use headwater_record::Timestamp;

use crate::instance::Rebalance;

/// So many are kept.
const MOST: usize = 32;

/// The last rebalances, the newest last.
#[derive(Debug, Default)]
pub(super) struct Rebalances(VecDeque<Rebalance>);

impl Rebalances {
    /// Goes on from those of the thread that was here before; what it was in the middle of ended with it.
    pub(super) fn after(before: Vec<Rebalance>, now: Timestamp) -> Self {
        let ended = |rebalance: Rebalance| Rebalance { ended: rebalance.ended.or(Some(now)), ..rebalance };
        Rebalances(before.into_iter().map(ended).collect())
    }

    fn open(&mut self) -> Option<&mut Rebalance> {
        self.0.back_mut().filter(|last| last.ended.is_none())
    }

    /// The thread asks to join.
    pub(super) fn joins(&mut self, reason: &str, now: Timestamp) {
        if let Some(open) = self.open() {
            open.rounds += 1;
            // One that had no answer and is sent again is the same round.
            if open.assigned.take().is_some() {
                open.round_began = now;
            }
            return;
        }
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        let (reason, rounds) = (reason.to_owned(), 1);
        self.0.push_back(Rebalance { began: now, reason, rounds, round_began: now, assigned: None, ended: None });
    }

    /// Whether the thread has its place in the group, and whether it processes all its tasks.
    pub(super) fn turn(&mut self, stable: bool, processes: bool, now: Timestamp) {
        let Some(open) = self.open().filter(|_| stable) else { return };
        open.assigned.get_or_insert(now);
        if processes {
            open.ended = Some(now);
        }
    }

    pub(super) fn all(&self) -> Vec<Rebalance> {
        self.0.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn a_rebalance_goes_on_until_all_tasks_are_processed() {
        let mut rebalances = Rebalances::default();
        rebalances.joins("first join", at(1));
        rebalances.turn(false, true, at(2));
        rebalances.joins("again", at(3));
        assert_eq!(rebalances.all().first().map(|open| (open.rounds, open.round_began)), Some((2, at(1))));
        rebalances.turn(true, false, at(4));
        rebalances.joins("need to revoke partitions and re-join", at(5));
        assert_eq!(rebalances.all().first().map(|open| (open.round_began, open.assigned)), Some((at(5), None)));
        rebalances.turn(true, false, at(6));
        rebalances.turn(true, true, at(9));
        rebalances.turn(true, true, at(10));
        let [only] = &rebalances.all()[..] else { panic!("one rebalance") };
        assert_eq!((only.reason.as_str(), only.rounds, only.assigned), ("first join", 3, Some(at(6))));
        assert_eq!(only.length(at(100)).as_millis(), 8);
    }

    #[test]
    fn only_the_last_are_kept() {
        let mut rebalances = Rebalances::default();
        for round in 0..100 {
            rebalances.joins(&format!("reason {round}"), at(round));
            rebalances.turn(true, true, at(round));
        }
        let all = rebalances.all();
        assert_eq!(all.len(), MOST);
        assert_eq!(all.last().map(|last| last.reason.as_str()), Some("reason 99"));
        rebalances.joins("the last", at(200));
        let next = Rebalances::after(rebalances.all(), at(300));
        assert_eq!(next.all().last().and_then(|last| last.ended), Some(at(300)), "who began it is gone");
    }
}
