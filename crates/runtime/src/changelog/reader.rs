//! One changelog on its way into one store.

use std::collections::VecDeque;

use headwater_client::RecordBatch;
use headwater_record::Offset;
use headwater_store::Store;

use super::chunk::Chunk;
use super::{RestoreRange, UpdateFailure};
use crate::task::ChangelogPartition;

/// A store gets at most so many bytes of records at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// Where a store stands in its changelog.
pub(super) struct Reader {
    /// What was to be read at the start.
    pub(super) range: RestoreRange,
    /// The next record to apply.
    pub(super) next: Offset,
    /// The next record after what the store's last commit contains, which is what others see of it.
    pub(super) committed: Offset,
    /// Records from here on are not applied (yet).
    pub(super) limit: Option<Offset>,
    /// How many records were applied.
    pub(super) applied: u64,
    /// Read, but beyond the limit.
    pub(super) held: VecDeque<Box<dyn RecordBatch>>,
    /// What the consumer does for it.
    pub(super) fetch: Fetch,
    /// Whether something was applied since the last commit.
    pub(super) dirty: bool,
    /// Whether its end was told.
    pub(super) ended: bool,
}

/// What the consumer does for a changelog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fetch {
    /// It is not assigned.
    None,
    /// It is read.
    Running,
    /// It is assigned, and not fetched for now.
    Paused,
}

/// What was applied at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Applied {
    pub(super) records: u64,
    pub(super) last: Offset,
}

/// Why no more was copied into a chunk.
enum Stop {
    Full,
    Exhausted,
    Limit(Offset),
}

impl Reader {
    pub(super) fn new(range: RestoreRange, limit: Option<Offset>) -> Self {
        Reader {
            range,
            next: range.from,
            committed: range.from,
            limit,
            applied: 0,
            held: VecDeque::new(),
            fetch: Fetch::None,
            dirty: false,
            ended: false,
        }
    }

    /// Whether everything that was there at the start is applied.
    pub(super) fn is_complete(&self) -> bool {
        self.next >= self.range.to
    }

    /// Applies what came, and what was held before it, as far as the limit allows.
    pub(super) fn take(
        &mut self,
        batch: Option<Box<dyn RecordBatch>>,
        changelog: &mut ChangelogPartition,
        store: &mut Store,
        chunk: &mut Chunk,
    ) -> Result<Option<Applied>, UpdateFailure> {
        self.held.extend(batch);
        let mut applied: Option<Applied> = None;
        while let Some(mut batch) = self.held.pop_front() {
            let more = self.apply(batch.as_mut(), changelog, store, chunk)?;
            if let Some(more) = more {
                applied = Some(Applied { records: applied.map_or(0, |so_far| so_far.records) + more.records, ..more });
            }
            if batch.remaining() > 0 {
                self.held.push_front(batch);
                break;
            }
        }
        Ok(applied)
    }

    fn apply(
        &mut self,
        batch: &mut dyn RecordBatch,
        changelog: &mut ChangelogPartition,
        store: &mut Store,
        chunk: &mut Chunk,
    ) -> Result<Option<Applied>, UpdateFailure> {
        let mut applied: Option<Applied> = None;
        loop {
            chunk.clear();
            let stop = self.fill(batch, changelog, chunk)?;
            if let Some(last) = chunk.records().last().map(|record| record.offset) {
                store.state_mut().restore(&mut chunk.records())?;
                let records = chunk.len() as u64;
                self.applied += records;
                applied = Some(Applied { records: applied.map_or(0, |so_far| so_far.records) + records, last });
            }
            let next = match stop {
                Stop::Limit(next) => next,
                Stop::Full | Stop::Exhausted => batch.next_offset(),
            };
            self.go_on_at(next, changelog);
            if !matches!(stop, Stop::Full) {
                return Ok(applied);
            }
        }
    }

    fn fill(
        &self,
        batch: &mut dyn RecordBatch,
        changelog: &ChangelogPartition,
        chunk: &mut Chunk,
    ) -> Result<Stop, UpdateFailure> {
        while chunk.bytes() < CHUNK_BYTES {
            let Some(record) = batch.head() else { return Ok(Stop::Exhausted) };
            if self.limit.is_some_and(|limit| record.offset >= limit) {
                return Ok(Stop::Limit(record.offset));
            }
            match record.key {
                _ if record.offset < self.next => {}
                Some(key) => chunk.push(key, &record),
                None => {
                    let (changelog, offset) = (&changelog.partition, record.offset);
                    tracing::warn!(%changelog, %offset, "a changelog record without a key is skipped");
                }
            }
            batch.advance()?;
        }
        Ok(Stop::Full)
    }

    /// Everything before `next` is applied or is no record.
    pub(super) fn go_on_at(&mut self, next: Offset, changelog: &mut ChangelogPartition) {
        if next > self.next {
            self.next = next;
            self.dirty = true;
        }
        if self.next > Offset::ZERO {
            changelog.contains(Some(Offset::new(self.next.value() - 1)));
        }
    }

    /// Forgets what was read and not applied.
    pub(super) fn let_go(&mut self) {
        self.held.clear();
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("range", &self.range).field("next", &self.next).finish_non_exhaustive()
    }
}
