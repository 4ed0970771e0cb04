//! The memory of batches: used again where a partition fills it, and no more than it needs where it does not.
#![forbid(unsafe_code)]

/// Batches grow from here.
const FIRST: usize = 512;

/// Memory of batches that were answered.
#[derive(Debug)]
pub(super) struct Memory {
    /// `buffer.memory`: what the records of open and closed batches and what is kept here may take together.
    limit: usize,
    /// `batch.size`.
    batch_size: usize,
    kept: Vec<Vec<u8>>,
    kept_bytes: usize,
    /// What open and closed batches take.
    pub(super) used: usize,
    /// What of it was there when [`Memory::brought`] was asked.
    seen: usize,
}

impl Memory {
    pub(super) fn new(limit: usize, batch_size: usize) -> Self {
        Memory { limit, batch_size, kept: Vec::new(), kept_bytes: 0, used: 0, seen: 0 }
    }

    /// Whether nothing more may be appended until batches are answered.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.used >= self.limit
    }

    /// Whether so little is left that one more record may find no room for what comes of it.
    #[inline]
    pub(super) fn is_nearly_full(&self) -> bool {
        self.used > 0 && self.used >= self.limit - self.limit / 8
    }

    /// How many bytes were appended since this was asked the last time.
    pub(super) fn brought(&mut self) -> usize {
        let seen = std::mem::replace(&mut self.seen, self.used);
        self.used.saturating_sub(seen)
    }

    /// Memory for a batch of a partition whose last one had `last` bytes. Whole ones are for those that fill them.
    pub(super) fn take(&mut self, last: usize) -> Vec<u8> {
        while self.used + self.kept_bytes > self.limit
            && let Some(kept) = self.kept.pop()
        {
            self.kept_bytes = self.kept_bytes.saturating_sub(kept.capacity());
        }
        if last <= self.batch_size / 2 {
            return Vec::with_capacity(last.max(FIRST));
        }
        let kept = self.kept.pop().unwrap_or_else(|| Vec::with_capacity(self.batch_size));
        self.kept_bytes = self.kept_bytes.saturating_sub(kept.capacity());
        kept
    }

    /// A batch of `held` bytes was answered, and this was its memory.
    pub(super) fn give_back(&mut self, held: usize, memory: Vec<u8>) {
        self.used = self.used.saturating_sub(held);
        self.seen = self.seen.saturating_sub(held);
        let is_whole = memory.capacity() >= self.batch_size && memory.capacity() <= 2 * self.batch_size;
        if is_whole && self.used + self.kept_bytes + memory.capacity() <= self.limit {
            self.kept_bytes += memory.capacity();
            self.kept.push(memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_memory_is_used_again_by_those_who_fill_it() {
        let mut memory = Memory::new(1 << 20, 1 << 18);
        assert_eq!(memory.take(0).capacity(), FIRST);
        assert_eq!(memory.take(10_000).capacity(), 10_000);
        let whole = memory.take(200_000);
        assert!(whole.capacity() >= 1 << 18);
        let at = whole.as_ptr();
        memory.give_back(0, whole);
        let small = memory.take(10_000);
        assert_ne!(small.as_ptr(), at, "it would hold much and use little of it");
        let again = memory.take(262_000);
        assert_eq!((again.as_ptr(), memory.kept_bytes), (at, 0));
    }

    #[test]
    fn what_was_brought_is_told_once_and_answers_do_not_count() {
        let mut memory = Memory::new(1 << 20, 1 << 18);
        memory.used += 700;
        assert_eq!((memory.brought(), memory.brought()), (700, 0));
        memory.give_back(600, Vec::new());
        memory.used += 50;
        assert_eq!((memory.brought(), memory.brought()), (50, 0));
    }

    #[test]
    fn no_more_is_kept_than_the_limit_allows() {
        let mut memory = Memory::new(1 << 20, 1 << 18);
        memory.used = 1 << 19;
        for _ in 0..5 {
            memory.give_back(0, Vec::with_capacity(1 << 18));
        }
        assert_eq!((memory.kept.len(), memory.kept_bytes), (2, 1 << 19));
        memory.used = 3 << 18;
        memory.take(0);
        assert_eq!(memory.kept.len(), 1, "those who need it come first");
        memory.used = 1 << 19;
        memory.give_back(0, Vec::with_capacity(1 << 18));
        memory.give_back(1 << 19, Vec::with_capacity(1 << 20));
        assert_eq!((memory.used, memory.kept.len()), (0, 2), "what was large once is not kept");
    }
}
