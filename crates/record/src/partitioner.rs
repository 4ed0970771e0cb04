//! To which partition a key belongs, as Java's producers decide it.

use crate::Partition;

const SEED: u32 = 0x9747_b28c;
const MULTIPLIER: u32 = 0x5bd1_e995;
const ROTATION: u32 = 24;

/// Murmur2 in 32 bits with the seed of Kafka's clients (`org.apache.kafka.common.utils.Utils#murmur2`).
///
/// ```
/// assert_eq!(headwater::record::murmur2(b"foobar"), -790332482_i32 as u32);
/// ```
pub fn murmur2(data: &[u8]) -> u32 {
    let mut hash = SEED ^ data.len() as u32;
    let mut blocks = data.chunks_exact(4);
    for block in &mut blocks {
        let mut k = block.iter().rev().fold(0u32, |word, &byte| word << 8 | u32::from(byte)).wrapping_mul(MULTIPLIER);
        k ^= k >> ROTATION;
        hash = hash.wrapping_mul(MULTIPLIER) ^ k.wrapping_mul(MULTIPLIER);
    }
    let tail = blocks.remainder();
    if !tail.is_empty() {
        hash ^= tail.iter().rev().fold(0u32, |word, &byte| word << 8 | u32::from(byte));
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ hash >> 15
}

/// The partition of a key among `partitions`: Java's `BuiltInPartitioner#partitionForKey`. An empty key is hashed like any other.
///
/// With fewer than one partition the answer is 0.
pub fn partition_for_key(key: &[u8], partitions: Partition) -> Partition {
    ((murmur2(key) & 0x7fff_ffff) as i32).checked_rem(partitions.max(1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::murmur2;

    #[test]
    fn equals_java_for_its_own_test_vectors() {
        // From Kafka's UtilsTest#testMurmur2.
        for (text, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()), hash as u32, "{text}");
        }
    }
}
