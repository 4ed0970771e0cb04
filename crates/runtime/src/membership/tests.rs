//! Groups of members played through against a small coordinator, and single members step by step.

mod groups;
mod properties;
mod steps;
mod world;
