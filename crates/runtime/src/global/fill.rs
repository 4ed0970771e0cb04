//! One filling of all global stores: open stores, and how far each partition is.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use headwater_client::RecordBatch;
use headwater_record::{Offset, Timestamp, TopicPartition};
use headwater_store::OpenContext;
use headwater_store::cache::Budget;
use headwater_topology::{GlobalStore, StoreId};

use super::GlobalPart;
use super::plan::Marks;
use crate::Error;
use crate::changelog::{Chunk, RestoreRange};
use crate::directory::{GlobalClaim, GlobalPlace};
use crate::error::Trouble;
use crate::handler::ExceptionHandlers;
use crate::instance::{Instance, shared};
use crate::output::RecordCollector;
use crate::task::{GlobalTask, OpenError};

/// A store gets at most so many bytes of records at a time while it is filled.
const CHUNK_BYTES: usize = 1 << 20;
/// A store that holds more than so many bytes which are not durable yet is committed out of turn.
const PENDING_BYTES: usize = 4 << 20;

pub(super) type Places = HashMap<StoreId, Arc<GlobalStore>>;

/// Where a partition stands.
#[derive(Debug)]
pub(super) struct Reading {
    /// What was to be read at the start.
    pub(super) range: RestoreRange,
    /// The next record to apply.
    pub(super) next: Offset,
    /// How many records were applied.
    pub(super) applied: u64,
}

impl Reading {
    pub(super) fn new(range: RestoreRange) -> Self {
        Reading { range, next: range.from, applied: 0 }
    }

    /// Whether everything that was there at the start is applied.
    pub(super) fn is_complete(&self) -> bool {
        self.next >= self.range.to
    }
}

/// Stores that are filled, or kept up to date.
#[derive(Debug)]
pub(super) struct Fill {
    pub(super) places: Places,
    pub(super) readings: BTreeMap<TopicPartition, Reading>,
    /// Where those on disk lie.
    pub(super) place: GlobalPlace,
    task: GlobalTask,
    chunk: Chunk,
    /// Whether something was applied since the last commit.
    dirty: bool,
    /// Records without a key, which no table has.
    dropped: u64,
}

/// Opens the stores of `parts` into `places` and tells what each contains; `None` for what was not committed with its marks.
///
/// # Errors
/// What the stores say: `StoreError::Corrupt` for one that is damaged.
pub(super) fn open(
    instance: &Instance,
    claim: &GlobalClaim,
    parts: &[GlobalPart],
    places: &Places,
    place: GlobalPlace,
) -> Result<Vec<Option<Marks>>, OpenError> {
    let choice = instance.environment.stores.choice(&instance.config);
    let directory = claim.prepare(place)?;
    let open_one = |part: &GlobalPart| {
        let unknown = || OpenError::UnknownStore(part.store);
        let spec = &instance.topology.store(part.store).ok_or_else(unknown)?.spec;
        let mut slot = places.get(&part.store).ok_or_else(unknown)?.slot();
        // Closed first: a directory has one owner.
        drop(slot.take());
        let store = choice.supplier(spec)?.open(spec, OpenContext { task_directory: directory.as_deref() })?;
        let marks = store.state().committed_offsets()?;
        let is_trusted = !marks.is_empty() || !store.state().is_persistent();
        *slot = Some(store);
        Ok(is_trusted.then_some(marks))
    };
    parts.iter().map(open_one).collect()
}

/// Whether all stores of `parts` are kept on disk.
pub(super) fn all_persistent(instance: &Instance, parts: &[GlobalPart]) -> Result<bool, Error> {
    let choice = instance.environment.stores.choice(&instance.config);
    let specs = parts.iter().filter_map(|part| instance.topology.store(part.store));
    Ok(specs
        .map(|node| choice.supplier(&node.spec))
        .try_fold(true, |all, supplier| supplier.map(|supplier| all && supplier.is_persistent()))?)
}

/// Brings what fills the stores in `places` to life.
fn task(
    instance: &Instance,
    places: &Places,
    output: &mut RecordCollector,
    now: Timestamp,
) -> Result<GlobalTask, Error> {
    // What tasks read is the store itself: nothing may wait in a cache before it.
    let cache = Rc::new(Budget::new(0));
    let handlers = handlers(instance);
    Ok(GlobalTask::start(
        &instance.topology,
        shared(places),
        handlers,
        Arc::clone(&instance.application),
        cache,
        output,
        now,
    )
    .map_err(Trouble::Task)?)
}

/// The application's handlers; about processors of global stores they decide only if they are asked to.
fn handlers(instance: &Instance) -> ExceptionHandlers {
    let handlers = instance.handlers.clone();
    if instance.config.handles_errors_of_global_stores() { handlers } else { handlers.without_processing() }
}

impl Fill {
    /// Over open stores.
    pub(super) fn start(
        instance: &Instance,
        places: Places,
        place: GlobalPlace,
        ranges: BTreeMap<TopicPartition, RestoreRange>,
        output: &mut RecordCollector,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let task = task(instance, &places, output, now)?;
        let readings = ranges.into_iter().map(|(partition, range)| (partition, Reading::new(range))).collect();
        Ok(Fill { places, readings, place, task, chunk: Chunk::default(), dirty: true, dropped: 0 })
    }

    /// Whether everything that was there at the start is applied.
    pub(super) fn is_complete(&self) -> bool {
        self.readings.values().all(Reading::is_complete)
    }

    /// Applies a batch: a table's records by their bytes while it is filled, all others by what reads them.
    pub(super) fn apply(
        &mut self,
        batch: &mut dyn RecordBatch,
        part: &GlobalPart,
        by_bytes: bool,
        output: &mut RecordCollector,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let partition = batch.partition().clone();
        let applied = if by_bytes { self.restore(batch, part)? } else { self.update(batch, output, now)? };
        if let Some(reading) = self.readings.get_mut(&partition) {
            reading.applied += applied;
        }
        self.go_on_at(&partition, batch.next_offset());
        Ok(applied)
    }

    fn next_of(&self, partition: &TopicPartition) -> Offset {
        self.readings.get(partition).map_or(Offset::ZERO, |reading| reading.next)
    }

    fn restore(&mut self, batch: &mut dyn RecordBatch, part: &GlobalPart) -> Result<u64, Error> {
        let (next, mut applied) = (self.next_of(batch.partition()), 0);
        let Some(place) = self.places.get(&part.store) else { return Ok(0) };
        loop {
            self.chunk.clear();
            while self.chunk.bytes() < CHUNK_BYTES
                && let Some(record) = batch.head()
            {
                match record.key {
                    _ if record.offset < next => {}
                    Some(key) => self.chunk.push(key, &record),
                    None => self.dropped += 1,
                }
                batch.advance()?;
            }
            if self.chunk.len() > 0 {
                place.write(|store| store.state_mut().restore(&mut self.chunk.records()))?;
                applied += self.chunk.len() as u64;
            }
            if batch.head().is_none() {
                return Ok(applied);
            }
        }
    }

    fn update(
        &mut self,
        batch: &mut dyn RecordBatch,
        output: &mut RecordCollector,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let (partition, mut applied) = (batch.partition().clone(), 0);
        let next = self.next_of(&partition);
        while let Some(record) = batch.head() {
            let offset = record.offset;
            if offset >= next {
                self.task.update(output, &partition, record, now).map_err(Trouble::Task)?;
                applied += 1;
            }
            batch.advance()?;
            self.go_on_at(&partition, offset.next());
        }
        Ok(applied)
    }

    /// Everything before `next` is applied or is no record.
    pub(super) fn go_on_at(&mut self, partition: &TopicPartition, next: Offset) {
        if let Some(reading) = self.readings.get_mut(partition).filter(|reading| next > reading.next) {
            reading.next = next;
            self.dirty = true;
        }
    }

    /// Whether a store holds so much that it is to be committed at once.
    pub(super) fn is_full(&self) -> bool {
        let pending = |place: &Arc<GlobalStore>| place.read(|store| Ok(store.state().pending_bytes()));
        self.places.values().any(|place| pending(place).is_ok_and(|bytes| bytes > PENDING_BYTES))
    }

    /// Hands out what waits to be written, and tells when a dead letter could not be. The output is to be flushed before the stores
    /// are committed.
    pub(super) fn flush(&mut self, output: &mut RecordCollector, now: Timestamp) -> Result<(), Error> {
        Ok(self.task.flush(output, now).map_err(Trouble::Task)?)
    }

    /// Commits every store with the offsets of its topic's partitions.
    pub(super) fn commit(&mut self, parts: &[GlobalPart]) -> Result<(), Error> {
        if !std::mem::take(&mut self.dirty) {
            return Ok(());
        }
        for part in parts {
            let of_part = self.readings.iter().filter(|(partition, _)| partition.topic == part.topic);
            let mark = |reading: &Reading| Offset::new(reading.next.value() - 1);
            let marks: Marks = of_part.map(|(partition, reading)| (partition.partition, mark(reading))).collect();
            let Some(place) = self.places.get(&part.store) else { continue };
            place.write(|store| store.state_mut().commit_offsets(&marks))?;
        }
        Ok(())
    }

    /// Puts stores that were filled beside into the `places` that tasks read. All of them are committed.
    pub(super) fn move_to(
        self,
        instance: &Instance,
        claim: &GlobalClaim,
        parts: &[GlobalPart],
        places: &Places,
        output: &mut RecordCollector,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let Fill { places: filled, readings, task: before, chunk, dropped, .. } = self;
        before.close();
        {
            // Readers wait until all stores are in place.
            let mut slots: Vec<_> =
                parts.iter().map(|part| (part, places.get(&part.store).map(|p| p.slot()))).collect();
            for (part, slot) in slots.iter_mut().filter_map(|(part, slot)| Some((part, slot.as_mut()?))) {
                drop(slot.take());
                **slot = filled.get(&part.store).and_then(|place| place.slot().take());
                if slot.as_ref().is_some_and(|store| store.state().is_persistent()) {
                    drop(slot.take());
                }
            }
            claim.replace()?;
            let choice = instance.environment.stores.choice(&instance.config);
            let directory = claim.prepare(GlobalPlace::Usual)?;
            for (part, slot) in slots.iter_mut().filter_map(|(part, slot)| Some((part, slot.as_mut()?))) {
                if slot.is_none() {
                    let unknown = || Error::from(OpenError::UnknownStore(part.store));
                    let spec = &instance.topology.store(part.store).ok_or_else(unknown)?.spec;
                    let context = OpenContext { task_directory: directory.as_deref() };
                    **slot = Some(choice.supplier(spec)?.open(spec, context)?);
                }
            }
        }
        let task = task(instance, places, output, now)?;
        let places = places.clone();
        Ok(Fill { places, readings, place: GlobalPlace::Usual, task, chunk, dirty: false, dropped })
    }

    /// Records that were left out.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped + self.task.dropped_records()
    }

    /// Dead letters that were sent.
    pub(super) fn dead_letters(&self) -> u64 {
        self.task.dead_letters()
    }

    /// Calls `close` of the processors.
    pub(super) fn close(self) {
        self.task.close();
    }
}
