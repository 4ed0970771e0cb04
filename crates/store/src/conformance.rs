//! The suite that every make of store passes, the user's own included.
//!
//! A make is tested by one test for each kind of store it has:
//!
//! ```
//! # use std::path::Path;
//! # use headwater::store::StoreSupplier;
//! fn key_value_stores_behave_as_the_suite_says(make: &dyn StoreSupplier, empty_directory: &Path) {
//!     headwater::store::conformance::key_value(make, empty_directory);
//! }
//! ```
//!
//! Each check opens stores of its own, below a folder of its own. A check that fails panics, and its text is the behaviour that
//! was missed.

mod key_value;
mod lifetime;
mod numbers;
mod scan;
mod session;
mod setting;
mod versioned;
mod views;
mod window;

use std::path::Path;

use crate::StoreSupplier;
use setting::Setting;

type Check = (&'static str, fn(&Setting<'_>));

/// Checks the key-value stores of `supplier`, in folders below `directory`, which must be there and empty.
///
/// # Panics
/// With the behaviour that is missing.
pub fn key_value(supplier: &dyn StoreSupplier, directory: &Path) {
    run(key_value::CHECKS, supplier, directory);
    run(scan::CHECKS, supplier, directory);
    run(lifetime::CHECKS, supplier, directory);
    run(views::KEY_VALUE, supplier, directory);
}

/// Checks the window stores of `supplier`, as [`key_value`] does.
///
/// # Panics
/// With the behaviour that is missing.
pub fn window(supplier: &dyn StoreSupplier, directory: &Path) {
    run(window::CHECKS, supplier, directory);
    run(views::WINDOW, supplier, directory);
}

/// Checks the session stores of `supplier`, as [`key_value`] does.
///
/// # Panics
/// With the behaviour that is missing.
pub fn session(supplier: &dyn StoreSupplier, directory: &Path) {
    run(session::CHECKS, supplier, directory);
    run(views::SESSION, supplier, directory);
}

/// Checks the versioned stores of `supplier`, as [`key_value`] does.
///
/// # Panics
/// With the behaviour that is missing.
pub fn versioned(supplier: &dyn StoreSupplier, directory: &Path) {
    run(versioned::CHECKS, supplier, directory);
    run(views::VERSIONED, supplier, directory);
}

fn run(checks: &[Check], supplier: &dyn StoreSupplier, directory: &Path) {
    for (name, check) in checks {
        check(&Setting::new(supplier, directory, name));
        // A store may keep its rows in another way once it is read from elsewhere.
        check(&Setting::new(supplier, &directory.join("viewed"), name).viewed());
    }
}
