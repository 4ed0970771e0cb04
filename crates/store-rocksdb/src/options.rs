//! How RocksDB is set up: near Java Kafka Streams' defaults, with the memory of all stores shared.

use std::fmt;
use std::sync::Arc;

use headwater_store::MemoryBudget;
use rocksdb::{
    BlockBasedOptions, Cache, DBCompactionStyle, DBCompressionType, FlushOptions, LogLevel, Options,
    WriteBufferManager, WriteOptions,
};

use crate::room::Room;
use crate::spare::Spare;

/// A memtable of rows, as in Java.
const WRITE_BUFFER_BYTES: usize = 16 << 20;
const WRITE_BUFFERS: i32 = 3;
const BLOCK_BYTES: usize = 4096;
const BLOOM_BITS_PER_KEY: f64 = 10.0;
/// Memtables take memory in steps of this. RocksDB's own choice is 1 MiB, which many small stores would fill the budget with.
const ARENA_BLOCK_BYTES: usize = 64 << 10;
/// What describes the store is a few keys, rewritten at each commit.
const META_WRITE_BUFFER_BYTES: usize = 1 << 20;
const META_ARENA_BLOCK_BYTES: usize = 4096;

/// What all stores of a process share.
pub(crate) struct Shared {
    blocks: Cache,
    writes: WriteBufferManager,
    pub(crate) room: Arc<Room>,
    pub(crate) spare: Arc<Spare>,
}

impl Shared {
    pub(crate) fn new(budget: MemoryBudget) -> Self {
        Shared {
            blocks: Cache::new_lru_cache(budget.block_cache_bytes),
            writes: WriteBufferManager::new_write_buffer_manager(budget.write_buffer_bytes, false),
            room: Arc::new(Room::new(budget.committed_bytes)),
            spare: Arc::default(),
        }
    }

    pub(crate) fn block_cache_bytes(&self) -> usize {
        self.blocks.get_usage()
    }

    pub(crate) fn write_buffer_bytes(&self) -> usize {
        self.writes.get_usage()
    }

    /// Of a database.
    pub(crate) fn database(&self) -> Options {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        // Rows and offset become durable together, though there is no write-ahead log.
        options.set_atomic_flush(true);
        options.set_write_buffer_manager(&self.writes);
        options
            .set_max_background_jobs(std::thread::available_parallelism().map_or(2, |n| (n.get() as i32).clamp(2, 8)));
        options.set_log_level(LogLevel::Warn);
        options.set_keep_log_file_num(1);
        options.set_stats_dump_period_sec(0);
        options
    }

    /// Of the rows.
    pub(crate) fn rows(&self) -> Options {
        let mut options = Options::default();
        options.set_write_buffer_size(WRITE_BUFFER_BYTES);
        options.set_max_write_buffer_number(WRITE_BUFFERS);
        options.set_arena_block_size(ARENA_BLOCK_BYTES);
        options.set_compaction_style(DBCompactionStyle::Universal);
        // Files that are put together soon are not worth it.
        options.set_compression_per_level(&[DBCompressionType::None, DBCompressionType::Lz4]);
        options.set_block_based_table_factory(&self.blocks_of_files());
        options
    }

    /// Of files of rows that are put together soon.
    pub(crate) fn row_files(&self) -> Options {
        let mut options = Options::default();
        options.set_compression_type(DBCompressionType::None);
        options.set_block_based_table_factory(&self.blocks_of_files());
        options
    }

    /// Of what describes the store.
    pub(crate) fn meta(&self) -> Options {
        let mut options = Options::default();
        options.set_write_buffer_size(META_WRITE_BUFFER_BYTES);
        options.set_arena_block_size(META_ARENA_BLOCK_BYTES);
        options.set_block_based_table_factory(&self.blocks_of_files());
        options
    }

    fn blocks_of_files(&self) -> BlockBasedOptions {
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(&self.blocks);
        blocks.set_block_size(BLOCK_BYTES);
        blocks.set_bloom_filter(BLOOM_BITS_PER_KEY, false);
        // Index and filters count against the budget like other blocks.
        blocks.set_cache_index_and_filter_blocks(true);
        blocks.set_cache_index_and_filter_blocks_with_high_priority(true);
        blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
        blocks
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("block_cache_bytes", &self.block_cache_bytes())
            .field("write_buffer_bytes", &self.write_buffer_bytes())
            .field("committed_bytes", &self.room.taken())
            .finish_non_exhaustive()
    }
}

/// Without a write-ahead log: the changelog topic is the log.
pub(crate) fn write() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.disable_wal(true);
    options
}

/// Returns when the files are there, or begins it.
pub(crate) fn flush(wait: bool) -> FlushOptions {
    let mut options = FlushOptions::default();
    options.set_wait(wait);
    options
}
