//! What a change of the left table asks of the subscriptions, as Kafka has it since 4.2.

use super::wire::Instruction;

/// Which rows a join has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// Those that have something to join with.
    Inner,
    /// All of the left table.
    Left,
}

/// What a row had before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// There was no row.
    NoRow,
    /// One without a foreign key.
    NoKey,
    /// One with a foreign key.
    Key,
}

/// What a row has now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Now {
    /// There is no row any more.
    NoRow,
    /// There is one without a foreign key.
    NoKey,
    /// One with the foreign key that it had.
    SameKey,
    /// One with a foreign key that it did not have.
    NewKey,
}

/// What is to be sent, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// To the foreign key that the row had.
    pub(super) to_old: Option<Instruction>,
    /// To the foreign key that the row has, if it has one.
    pub(super) to_new: Option<Instruction>,
    /// Whether the row is left out, and counted.
    pub(super) dropped: bool,
}

impl Rows {
    /// What is to be sent for a row that changed.
    pub(super) fn send(self, before: Before, now: Now) -> Sent {
        use Instruction::{
            DeleteKeyAndPropagate, DeleteKeyNoPropagate, PropagateNullIfNoFkValAvailable, PropagateOnlyIfFkValAvailable,
        };
        let had_key = before == Before::Key;
        match (self, now) {
            (Rows::Inner, Now::NoRow | Now::NoKey) => {
                Sent { to_old: had_key.then_some(DeleteKeyAndPropagate), to_new: None, dropped: now == Now::NoKey }
            }
            (Rows::Inner, Now::NewKey) if had_key => Sent {
                to_old: Some(DeleteKeyNoPropagate),
                to_new: Some(PropagateNullIfNoFkValAvailable),
                dropped: false,
            },
            // There was no result, or it is one of the same foreign key: nothing has to be taken back.
            (Rows::Inner, Now::NewKey | Now::SameKey) => {
                Sent { to_old: None, to_new: Some(PropagateOnlyIfFkValAvailable), dropped: false }
            }
            (Rows::Left, Now::NoRow) if before == Before::NoRow => Sent::default(),
            // Whatever became of the row, an answer has to come. It comes without a foreign key too.
            (Rows::Left, _) => Sent {
                to_old: (had_key && now != Now::SameKey).then_some(DeleteKeyNoPropagate),
                to_new: Some(PropagateNullIfNoFkValAvailable),
                dropped: false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Instructions by their bytes.
    fn sent(rows: Rows, before: Before, now: Now) -> (Option<u8>, Option<u8>, bool) {
        let Sent { to_old, to_new, dropped } = rows.send(before, now);
        (to_old.map(|instruction| instruction as u8), to_new.map(|instruction| instruction as u8), dropped)
    }

    /// A foreign key was missed where none had been (KAFKA-16407).
    #[test]
    fn an_inner_join_takes_back_what_may_have_joined() {
        let inner = |before, now| sent(Rows::Inner, before, now);
        for before in [Before::NoRow, Before::NoKey] {
            assert_eq!(inner(before, Now::NoRow), (None, None, false));
            assert_eq!(inner(before, Now::NoKey), (None, None, true));
            assert_eq!(inner(before, Now::NewKey), (None, Some(3), false));
        }
        assert_eq!(inner(Before::Key, Now::NoRow), (Some(1), None, false));
        assert_eq!(inner(Before::Key, Now::NoKey), (Some(1), None, true));
        assert_eq!(inner(Before::Key, Now::SameKey), (None, Some(3), false));
        assert_eq!(inner(Before::Key, Now::NewKey), (Some(0), Some(2), false));
    }

    /// The old foreign key was not told (KAFKA-9244), or answered too (KAFKA-16394, KAFKA-18713).
    #[test]
    fn a_left_join_has_every_change_answered() {
        let left = |before, now| sent(Rows::Left, before, now);
        assert_eq!(left(Before::NoRow, Now::NoRow), (None, None, false));
        assert_eq!(left(Before::NoKey, Now::NoRow), (None, Some(2), false));
        for now in [Now::NoKey, Now::NewKey] {
            assert_eq!(left(Before::NoRow, now), (None, Some(2), false));
            assert_eq!(left(Before::NoKey, now), (None, Some(2), false));
            assert_eq!(left(Before::Key, now), (Some(0), Some(2), false));
        }
        assert_eq!(left(Before::Key, Now::NoRow), (Some(0), Some(2), false));
        assert_eq!(left(Before::Key, Now::SameKey), (None, Some(2), false));
    }
}
