//! The hash of a row, by which a response is known to be of the row as it is now.

/// 128 bits, the two halves big-endian.
pub(super) type Hash = [u8; 16];

const SEED: u64 = 104_729;
const FIRST: u64 = 0x87c3_7b91_1142_53d5;
const SECOND: u64 = 0x4cf5_ad43_2745_937f;

/// Murmur3 (x64, 128 bits) with the seed of Java's `Murmur3#hash128`.
pub(super) fn murmur3(data: &[u8]) -> Hash {
    let (mut one, mut two) = (SEED, SEED);
    let (blocks, tail) = data.as_chunks::<16>();
    for block in blocks {
        let (low, high) = words(block);
        one = (one ^ first(low)).rotate_left(27).wrapping_add(two).wrapping_mul(5).wrapping_add(0x52dc_e729);
        two = (two ^ second(high)).rotate_left(31).wrapping_add(one).wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    let mut last = [0; 16];
    last.iter_mut().zip(tail).for_each(|(byte, rest)| *byte = *rest);
    let (low, high) = words(&last);
    let length = data.len() as u64;
    one ^= first(low) ^ length;
    two ^= second(high) ^ length;
    one = one.wrapping_add(two);
    two = two.wrapping_add(one);
    one = mixed(one);
    two = mixed(two);
    one = one.wrapping_add(two);
    two = two.wrapping_add(one);
    (u128::from(one) << 64 | u128::from(two)).to_be_bytes()
}

/// The two little-endian halves of a block.
fn words(block: &[u8; 16]) -> (u64, u64) {
    let both = u128::from_le_bytes(*block);
    (both as u64, (both >> 64) as u64)
}

fn first(word: u64) -> u64 {
    word.wrapping_mul(FIRST).rotate_left(31).wrapping_mul(SECOND)
}

fn second(word: u64) -> u64 {
    word.wrapping_mul(SECOND).rotate_left(33).wrapping_mul(FIRST)
}

fn mixed(mut word: u64) -> u64 {
    word = (word ^ word >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    word = (word ^ word >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    word ^ word >> 33
}

#[cfg(test)]
mod tests {
    use super::murmur3;

    #[test]
    fn equals_what_java_computes() {
        // `Murmur3#hash128` of Kafka 4.4.0 over the first so many of these bytes.
        let bytes: Vec<u8> = (0..70_u8).map(|at| at.wrapping_mul(37).wrapping_add(200)).collect();
        for (length, hash) in [
            (0, 0x9d27_64a0_18e3_2942_8c3c_f3b0_3593_8518),
            (1, 0xbff2_166f_25d4_e3ca_ad76_f900_42c3_2eb7),
            (2, 0xbcd4_482b_54b2_1ae4_ff52_2487_ce04_4fc6),
            (3, 0xb02c_9dcb_0b18_8cb7_261d_2765_1495_6649),
            (4, 0x846a_0800_ef7c_20fe_cd9d_9b8b_3a3e_1bbb),
            (5, 0x70be_c646_8243_fd7e_05fc_ff0e_c098_b7ba),
            (6, 0xd07c_a34f_bc86_9666_c96b_fa2a_5c3a_d0ef),
            (7, 0xe2c1_2aaa_3761_5c8d_78e8_fff4_49ac_d2e3),
            (8, 0x5376_fe5d_8752_a480_2bcf_b922_970c_534c),
            (9, 0xb79c_c91e_67eb_164f_7285_936d_18b5_c4c8),
            (10, 0xde35_2a4f_8e87_c376_4d4a_442d_b540_88a9),
            (11, 0x4d82_494a_5c77_5980_91fd_208e_ec8c_5b93),
            (12, 0x77cb_9c85_e610_2be4_97b3_ef54_8224_d05b),
            (13, 0x1f4e_6d16_7847_6ed3_139e_3127_33e0_df5d),
            (14, 0x6127_2385_4c35_6186_f221_0c02_7b0a_1791),
            (15, 0x8541_4409_32df_88a8_1337_8190_6f75_8397),
            (16, 0x3b1c_a826_ba2a_8ab1_00ff_368a_f7e1_5570),
            (17, 0x1460_6ec8_9b0c_68c7_20e3_8f08_a941_bbdf),
            (18, 0xb602_d971_cb17_a712_40b4_714c_0d60_8072),
            (19, 0x95a7_cefe_ee07_d56f_fc99_b8ff_393a_ea45),
            (20, 0xd1ed_bae6_1cf3_d1a8_8d1e_91e9_2be6_20f4),
            (31, 0x0fc8_bff6_b4d6_35a2_db8b_6c0c_e90a_3cd8),
            (32, 0x271f_c7ad_ca25_c66d_69f4_99a2_c53f_d088),
            (33, 0xc811_ac02_57c0_6b43_de48_15d1_c281_354e),
            (47, 0x0b9d_a065_55e8_9063_c343_3b8c_af3e_944b),
            (48, 0x0ff7_3ab3_4583_fb9b_153c_6890_e773_84a1),
            (63, 0x4f3f_be51_a12a_a822_1fa0_a10c_10c7_6212),
            (64, 0x3954_f9f2_8fb7_42e7_f109_d7a7_49b7_2f02),
            (69, 0x97d0_a7a0_c8c7_6098_eb37_a7e0_c2a0_8b8f),
        ] {
            assert_eq!(u128::from_be_bytes(murmur3(&bytes[..length])), hash, "{length} bytes");
        }
        assert_eq!(u128::from_be_bytes(murmur3(b"x|1")), 0xb28a_5fa5_a1c7_7e0e_a470_a951_8fb4_5b87);
        let text = b"The quick brown fox jumps over the lazy dog";
        assert_eq!(u128::from_be_bytes(murmur3(text)), 0xe74c_5921_af0f_99c8_b7f8_5ec8_1df0_6726);
    }
}
