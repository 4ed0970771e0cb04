//! What is compressed comes back, and what others wrote is read; damage is told and takes no memory.

use std::io::Write as _;

use lz4::liblz4::BlockChecksum;
use lz4::{BlockMode, BlockSize, ContentChecksum, EncoderBuilder};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Codec, Malformed, TOO_LARGE, decompress_up_to};
use crate::batch::header::Compression;

const CODECS: [Compression; 4] = [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
const MOST: usize = 1 << 20;

fn codec(compression: Compression) -> Codec {
    Codec::new(compression, None).expect("the default")
}

/// `plain`, compressed; the byte before it stays as it is.
fn packed(codec: Codec, plain: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = vec![7];
    bytes.extend_from_slice(plain);
    let smaller = codec.compress(&mut bytes, 1);
    assert_eq!(bytes.remove(0), 7);
    assert!(smaller || bytes == plain, "what is not compressed is not changed");
    smaller.then_some(bytes)
}

fn unpacked(compression: Compression, packed: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut plain = Vec::new();
    decompress_up_to(MOST, compression, packed, &mut plain).map(|()| plain)
}

/// Compressible, but not by one repetition.
fn sample(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at % 251 * (at / 1_000 + 1) % 17) as u8).collect()
}

#[test]
fn what_is_compressed_comes_back_at_every_length_and_level() {
    let levels: [(Compression, &[i32]); 4] = [
        (Compression::Gzip, &[-1, 1, 9]),
        (Compression::Snappy, &[0]),
        (Compression::Lz4, &[1, 2, 3, 9, 12, 17]),
        (Compression::Zstd, &[-131_072, -1, 1, 3, 19, 22]),
    ];
    for (compression, levels) in levels {
        for level in levels {
            let codec = Codec::new(compression, Some(*level)).expect("a level");
            for bytes in [200, 32 << 10, (64 << 10) + 1, 300_000] {
                let plain = sample(bytes);
                // The fastest level of zstd is not one that compresses.
                let Some(packed) = packed(codec, &plain) else {
                    assert_eq!(*level, -131_072);
                    continue;
                };
                assert!(unpacked(compression, &packed) == Ok(plain), "{codec:?}, {bytes}");
            }
        }
    }
}

#[test]
fn a_level_that_java_refuses_is_refused() {
    let refused = [(Compression::Gzip, 0), (Compression::Gzip, 10), (Compression::Lz4, 0), (Compression::Lz4, 18)];
    for (compression, level) in refused.into_iter().chain([(Compression::Zstd, 23), (Compression::Zstd, -131_073)]) {
        assert!(Codec::new(compression, Some(level)).is_err(), "{compression:?} {level}");
    }
}

#[test]
fn what_would_not_be_smaller_is_left_as_it_is() {
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let noise: Vec<u8> = (0..10_000).map(|_| noise()).collect();
    for compression in CODECS {
        assert_eq!(packed(codec(compression), &noise), None, "{compression:?}");
        assert_eq!(packed(codec(compression), b"x"), None, "{compression:?}");
        assert_eq!(packed(codec(compression), b""), None, "{compression:?}");
    }
    assert_eq!(packed(codec(Compression::None), &sample(1_000)), None);
}

#[test]
fn lz4_is_written_in_the_frames_of_javas_producer() {
    let packed = packed(codec(Compression::Lz4), &sample(100_000)).expect("smaller");
    // Version 1, independent blocks of 64 KiB, no checksums, no length; and the checksum of these two bytes.
    assert_eq!(packed[..7], [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
    assert_eq!(packed[packed.len() - 4..], [0; 4]);
}

#[test]
fn lz4_frames_of_any_kind_are_read() {
    let plain = sample(700_000);
    for mode in [BlockMode::Linked, BlockMode::Independent] {
        for size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max1MB, BlockSize::Max4MB] {
            let mut frame = EncoderBuilder::new()
                .block_mode(mode.clone())
                .block_size(size)
                .block_checksum(BlockChecksum::BlockChecksumEnabled)
                .checksum(ContentChecksum::ChecksumEnabled)
                .content_size(plain.len() as u64)
                .build(Vec::new())
                .expect("an encoder");
            frame.write_all(&plain).expect("memory");
            let (frame, done) = frame.finish();
            assert!(done.is_ok() && unpacked(Compression::Lz4, &frame) == Ok(plain.clone()));
        }
    }
}

#[test]
fn snappy_is_read_in_frames_and_as_a_single_block() {
    let plain = sample(100_000);
    let raw = snap::raw::Encoder::new().compress_vec(&plain).expect("compressed");
    assert!(unpacked(Compression::Snappy, &raw) == Ok(plain.clone()));
    let framed = packed(codec(Compression::Snappy), &plain).expect("smaller");
    assert_eq!(framed[..16], *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01");
    assert!(unpacked(Compression::Snappy, &framed) == Ok(plain.clone()));
    // Frame after frame, as of writers that were closed and went on.
    assert!(unpacked(Compression::Snappy, &framed.repeat(2)) == Ok(plain.repeat(2)));
}

#[test]
fn frames_of_gzip_and_zstd_may_follow_each_other() {
    let plain = sample(100_000);
    for compression in [Compression::Gzip, Compression::Zstd] {
        let packed = packed(codec(compression), &plain).expect("smaller");
        assert!(unpacked(compression, &packed.repeat(2)) == Ok(plain.repeat(2)), "{compression:?}");
    }
}

#[test]
fn what_is_cut_short_is_damaged() {
    for compression in CODECS {
        let packed = packed(codec(compression), &sample(5_000)).expect("smaller");
        for cut in 0..packed.len() {
            let read = unpacked(compression, &packed[..cut]);
            // The head of a snappy frame is a whole frame of no blocks.
            assert!(
                read.is_err() || (compression == Compression::Snappy && read == Ok(vec![])),
                "{compression:?} {cut}"
            );
        }
    }
}

#[test]
fn what_unpacks_to_more_than_the_limit_is_refused() {
    for compression in CODECS {
        for (bytes, fits) in [(MOST, true), (MOST + 1, false), (8 * MOST, false)] {
            let packed = packed(codec(compression), &vec![0; bytes]).expect("smaller");
            let mut plain = Vec::new();
            let read = decompress_up_to(MOST, compression, &packed, &mut plain);
            assert_eq!(read, if fits { Ok(()) } else { Err(TOO_LARGE) }, "{compression:?} {bytes}");
            assert!(plain.capacity() <= 2 * (MOST + 1), "{compression:?} took {}", plain.capacity());
        }
    }
}

#[test]
fn a_block_of_snappy_does_not_get_the_memory_that_it_asks_for() {
    // Says that it is half the limit, and ends.
    let mut plain = Vec::new();
    assert!(decompress_up_to(MOST, Compression::Snappy, &[0x80, 0x80, 0x20], &mut plain).is_err());
    assert_eq!(plain.capacity(), 0);
}

proptest! {
    #[test]
    fn any_bytes_come_back(seed in vec(any::<u8>(), 0..200), times in 1_usize..2_000, of in 0..CODECS.len()) {
        let plain = seed.repeat(times);
        if let Some(packed) = packed(codec(CODECS[of]), &plain) {
            prop_assert!(unpacked(CODECS[of], &packed) == Ok(plain));
        }
    }

    #[test]
    fn damage_takes_no_more_than_the_limit(
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        from in 0_usize..2_000,
        of in 0..CODECS.len(),
    ) {
        let mut packed = packed(codec(CODECS[of]), &sample(4_000)[from..]).expect("smaller");
        for (at, with) in damage {
            let at = at.index(packed.len());
            packed[at] = with;
        }
        let mut plain = Vec::new();
        let _ = decompress_up_to(MOST, CODECS[of], &packed, &mut plain);
        prop_assert!(plain.capacity() <= 2 * (MOST + 1));
        // Nothing is left behind for the next.
        let good = sample(3_000);
        let packed = self::packed(codec(CODECS[of]), &good).expect("smaller");
        prop_assert!(unpacked(CODECS[of], &packed) == Ok(good));
    }
}
