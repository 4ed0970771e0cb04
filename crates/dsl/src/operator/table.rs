//! Operators on tables.

mod filter;
mod group_by;
mod map_values;
mod nullable;
mod step;
mod suppress;
mod transform_values;
