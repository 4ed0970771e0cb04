//! Through a repartition topic, by a key of the value.

use headwater::dsl::Repartitioned;
use headwater::record::Partition;

use super::{Numbered, head};

pub(super) fn repartition(stream: &Numbered, output: &str, partitions: Partition) {
    let options = Repartitioned::by_type().with_name("by-head").with_partitions(partitions);
    stream
        .try_select_key(|_, value| anyhow::Ok((head(value)?.cast_unsigned() % 10_000).cast_signed()))
        .repartition_with(options)
        .to(output);
}
