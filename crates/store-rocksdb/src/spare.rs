//! Memory that was used and will be again soon.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many pieces are kept.
const MOST: usize = 2;

/// Memory in which restored rows waited for a commit, for those that come next, of whichever store: to have the system clear as much
/// again costs more than what is done with it.
#[derive(Debug, Default)]
pub(crate) struct Spare(Mutex<Vec<Vec<u8>>>);

impl Spare {
    /// Empty memory.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.pieces().pop().unwrap_or_default()
    }

    /// Keeps `piece`, unless there are enough.
    pub(crate) fn give(&self, mut piece: Vec<u8>) {
        let mut pieces = self.pieces();
        if pieces.len() < MOST && piece.capacity() > 0 {
            piece.clear();
            pieces.push(piece);
        }
    }

    /// Lets go of all.
    pub(crate) fn clear(&self) {
        self.pieces().clear();
    }

    fn pieces(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, Spare};

    #[test]
    fn what_was_given_is_taken_again_until_it_is_let_go() {
        let spare = Spare::default();
        spare.give(Vec::new());
        for _ in 0..=MOST {
            spare.give(vec![1; 100]);
        }
        let pieces: Vec<Vec<u8>> = (0..=MOST).map(|_| spare.take()).collect();
        assert!(pieces.iter().all(Vec::is_empty));
        assert_eq!(pieces.iter().filter(|piece| piece.capacity() >= 100).count(), MOST);
        spare.give(vec![1; 100]);
        spare.clear();
        assert_eq!(spare.take().capacity(), 0);
    }
}
