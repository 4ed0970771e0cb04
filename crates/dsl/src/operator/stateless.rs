//! Operators that keep nothing. The order is that in which the documentation lists them.

mod filter;

mod present;

mod map_values;

mod flat_map_values;

mod map;

mod flat_map;

mod select_key;

mod peek;

mod for_each;

mod merge;

mod split;

mod nullable;

mod print;

pub(crate) use merge::pass_on;
