//! How much memory committed rows may take: of all stores together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What all stores of a process share.
#[derive(Debug)]
pub(crate) struct Room {
    most: usize,
    taken: AtomicUsize,
    stores: AtomicUsize,
}

/// The part of one store, given back when it closes.
#[derive(Debug)]
pub(crate) struct Share {
    room: Arc<Room>,
    taken: usize,
}

impl Room {
    pub(crate) fn new(most: usize) -> Self {
        Room { most, taken: AtomicUsize::new(0), stores: AtomicUsize::new(0) }
    }

    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Relaxed)
    }
}

impl Share {
    pub(crate) fn of(room: &Arc<Room>) -> Self {
        room.stores.fetch_add(1, Relaxed);
        Share { room: Arc::clone(room), taken: 0 }
    }

    /// Of nothing: a view keeps no rows.
    pub(crate) fn none() -> Self {
        Share::of(&Arc::new(Room::new(0)))
    }

    /// How many bytes the store may take: what others leave, and its equal part in any case.
    pub(crate) fn most(&self) -> usize {
        let left = (self.room.most + self.taken).saturating_sub(self.room.taken());
        left.max(self.room.most / self.room.stores.load(Relaxed).max(1))
    }

    /// The store takes so many bytes now.
    pub(crate) fn take(&mut self, bytes: usize) {
        self.room.taken.fetch_add(bytes, Relaxed);
        self.room.taken.fetch_sub(self.taken, Relaxed);
        self.taken = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.taken, Relaxed);
        self.room.stores.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Room, Share};

    #[test]
    fn a_store_has_what_others_leave_and_its_equal_part() {
        let room = Arc::new(Room::new(100));
        let mut one = Share::of(&room);
        assert_eq!(one.most(), 100);
        one.take(90);
        assert_eq!(one.most(), 100);
        let mut other = Share::of(&room);
        assert_eq!((one.most(), other.most()), (100, 50));
        other.take(50);
        assert_eq!((one.most(), other.most()), (50, 50), "too much is taken: the one has to give");
        one.take(20);
        assert_eq!((one.most(), other.most(), room.taken()), (50, 80, 70));
        drop(other);
        assert_eq!((one.most(), room.taken()), (100, 20));
        drop(one);
        assert_eq!(room.taken(), 0);
    }
}
