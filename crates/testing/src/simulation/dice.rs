//! Chance by seed.

/// Throws that follow from a seed alone, the same on every machine (xorshift64*).
///
/// ```
/// use headwater::testing::simulation::Dice;
/// let throws = |seed| {
///     let mut dice = Dice::new(seed);
///     [dice.below(1_000), dice.below(1_000), dice.below(1_000)]
/// };
/// assert_eq!(throws(7), throws(7));
/// assert_ne!(throws(7), throws(8));
/// ```
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice of this seed.
    pub fn new(seed: u64) -> Self {
        // splitmix64: seeds that lie beside each other must not throw alike.
        let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Dice((mixed ^ (mixed >> 31)).max(1))
    }

    /// A number from 0 up to, but without, `sides`; 0 when there are none.
    pub fn below(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % sides.max(1)
    }

    /// As [`Dice::below`], for what is counted.
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// Whether something happens that happens one time in `times`.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// `first`, or one of the `others`.
    pub(crate) fn one_of<T: Copy>(&mut self, first: T, others: &[T]) -> T {
        let index = self.index(others.len() + 1);
        others.get(index.wrapping_sub(1)).copied().unwrap_or(first)
    }
}
