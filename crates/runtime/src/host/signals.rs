//! SIGINT and SIGTERM.

use std::sync::{Mutex, PoisonError, Weak};

use crate::Error;
use crate::instance::{CloseOptions, Instance};

static APPLICATIONS: Mutex<Vec<Weak<Instance>>> = Mutex::new(Vec::new());
static INSTALLED: Mutex<bool> = Mutex::new(false);

/// Closes the application when the process is told to end. The process has one handler for all its applications.
pub(crate) fn on_signal(instance: Weak<Instance>) -> Result<(), Error> {
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if !*installed {
        ctrlc::set_handler(close_all).map_err(|error| {
            Error::config(format!(
                "close_on_signals: another part of the program handles SIGINT and SIGTERM ({error}); call close from there"
            ))
        })?;
        *installed = true;
    }
    APPLICATIONS.lock().unwrap_or_else(PoisonError::into_inner).push(instance);
    Ok(())
}

fn close_all() {
    let applications = std::mem::take(&mut *APPLICATIONS.lock().unwrap_or_else(PoisonError::into_inner));
    for instance in applications.iter().filter_map(Weak::upgrade) {
        tracing::info!(application = instance.config.application_id(), "told to end; closing");
        instance.begin_close(CloseOptions::default());
    }
}
