//! Numbers that look random and are the same each time.

/// `SplitMix64`.
#[derive(Debug)]
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    /// The next one, from 0 on and less than `bound`.
    pub(super) fn below(&mut self, bound: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ bits >> 31) >> 1) as i64 % bound.max(1)
    }
}
