//! Stores of both makes: the same join says the same.

use std::sync::Arc;

use headwater::rocksdb::RocksDbStores;
use headwater::store::MemoryBudget;
use headwater::testing::TopologyTestDriver;
use proptest::prelude::*;

use crate::model::{Rows, Windows};
use crate::properties::{inputs, pipe, steps, topology};

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn on_disk_a_join_says_what_it_says_in_memory(
        steps in steps(any::<bool>()),
        (before, after, grace) in (0..5_i64, 0..5_i64, 0..3_i64),
    ) {
        let windows = Windows { before, after, grace };
        for rows in [Rows::Inner, Rows::Left, Rows::Outer] {
            let directory = tempfile::tempdir().unwrap();
            let (budget, topology) = (MemoryBudget::default(), topology(rows, windows, false).build().unwrap());
            let on_disk = TopologyTestDriver::builder(topology.clone());
            let on_disk = on_disk.persistent_stores(Arc::new(RocksDbStores::new(budget)), directory.path());
            let on_disk = on_disk.build().unwrap();
            // It forgets as a store on disk does.
            let in_memory = TopologyTestDriver::new(topology).unwrap();
            for input in inputs(steps.clone()) {
                prop_assert_eq!(pipe(&on_disk, input), pipe(&in_memory, input), "{:?} {:?} at {:?}", rows, windows, input);
            }
            on_disk.close().unwrap();
        }
    }
}
