//! Operators on tables. The order is that in which the documentation lists them.

mod filter;

mod map_values;

mod transform_values;

mod group_by;

mod suppress;

mod nullable;

mod step;
