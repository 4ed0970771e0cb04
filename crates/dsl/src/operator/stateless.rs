//! Operators that keep nothing.

mod filter;
mod flat_map;
mod flat_map_values;
mod for_each;
mod map;
mod map_values;
mod merge;
mod nullable;
mod peek;
mod print;
mod select_key;
mod split;

pub(crate) use merge::pass_on;
