//! The buffer of a suppression as a store: what was logged of it, until the node that owns it takes it over.
//!
//! A running node keeps its buffer with typed values and writes to the changelog what has changed when the task commits. Here is
//! the other half: the changelog's bytes, for restoring and for standbys.

mod format;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use headwater_record::{Offset, RawRecord};

pub use self::format::{BufferedBytes, BufferedChange, OLD_HEADER, PRIOR_HEADER, VERSION_HEADER, VERSION_VALUE};
use crate::{OpenContext, StateStore, Store, StoreError, StoreKind, StoreSpec, StoreSupplier};

/// The buffered changes of a suppression (Java's `InMemoryTimeOrderedKeyValueChangeBuffer`, as its changelog has it).
#[derive(Debug, Default)]
pub struct SuppressBytes {
    name: String,
    // Headers are for one thread at a time; stores are not.
    entries: Mutex<HashMap<Box<[u8]>, BufferedBytes>>,
    offset: Option<Offset>,
    /// Whether the entries are with a running node, so that nothing of the changelog is here.
    taken: bool,
}

impl SuppressBytes {
    /// An empty buffer.
    pub fn new(name: impl Into<String>) -> Self {
        SuppressBytes { name: name.into(), ..Self::default() }
    }

    /// Takes all entries out, by key, in no order. What is written from then on comes back by the changelog only: until it is
    /// restored, the store is one that contains nothing.
    pub fn take(&mut self) -> HashMap<Box<[u8]>, BufferedBytes> {
        self.offset = None;
        self.taken = true;
        std::mem::take(self.entries_mut())
    }

    /// How many keys are buffered here.
    pub fn len(&self) -> usize {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn entries_mut(&mut self) -> &mut HashMap<Box<[u8]>, BufferedBytes> {
        self.entries.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&mut self, record: &RawRecord<'_>) -> Result<(), StoreError> {
        let entries = self.entries.get_mut().unwrap_or_else(PoisonError::into_inner);
        let corrupt = |reason: &str| StoreError::Corrupt {
            reason: format!("the changelog of store {}, offset {}: {reason}", self.name, record.offset),
        };
        let key = record.key.ok_or_else(|| corrupt("a record has no key"))?;
        if record.value.is_none() {
            entries.remove(key);
            return Ok(());
        }
        let before = entries.get(key).and_then(|entry| entry.prior.as_deref());
        let entry = BufferedBytes::decode(record, before).map_err(|_| corrupt("a record is no buffered change"))?;
        entries.insert(key.into(), entry);
        Ok(())
    }
}

impl StateStore for SuppressBytes {
    fn name(&self) -> &str {
        &self.name
    }
    fn is_persistent(&self) -> bool {
        false
    }
    fn committed_offset(&self) -> Result<Option<Offset>, StoreError> {
        Ok(self.offset)
    }
    fn commit(&mut self, changelog: Option<Offset>) -> Result<(), StoreError> {
        if !self.taken {
            self.offset = changelog.or(self.offset);
        }
        Ok(())
    }
    fn restore(&mut self, records: &mut dyn Iterator<Item = RawRecord<'_>>) -> Result<(), StoreError> {
        self.taken = false;
        for record in records {
            self.apply(&record)?;
        }
        Ok(())
    }
}

/// Opens the buffers of suppressions: in memory, as Java's.
#[derive(Clone, Copy, Debug, Default)]
pub struct SuppressBuffers;

impl StoreSupplier for SuppressBuffers {
    fn is_persistent(&self) -> bool {
        false
    }
    fn open(&self, spec: &StoreSpec, _context: OpenContext<'_>) -> Result<Store, StoreError> {
        match spec.kind {
            StoreKind::Suppress => Ok(Store::Suppress(Box::new(SuppressBytes::new(spec.name.as_str())))),
            other => {
                Err(StoreError::Unsupported { store: spec.name.clone(), make: "suppress", kind: format!("{other:?}") })
            }
        }
    }
}

#[cfg(test)]
mod tests;
