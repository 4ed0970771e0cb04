//! Signals that tell a process to end.

use std::sync::{Mutex, PoisonError, Weak};

use crate::Error;
use crate::instance::{CloseOptions, Instance};

static APPLICATIONS: Mutex<Vec<Weak<Instance>>> = Mutex::new(Vec::new());
static INSTALLED: Mutex<bool> = Mutex::new(false);

/// Closes the application when the process is told to end. The process has one handler for all its applications.
pub(crate) fn on_signal(instance: Weak<Instance>) -> Result<(), Error> {
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if !*installed {
        listen().map_err(|error| {
            Error::config(format!(
                "close_on_signals: signals cannot be listened to ({error}); call close where they are handled"
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

/// Whoever started the process may have it ignore some of them, as `nohup` does, or a shell with what runs in the background: those stay
/// ignored, as in a Java process.
#[cfg(unix)]
#[allow(clippy::disallowed_methods, reason = "signals come at any time")]
fn listen() -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    let ignored = std::fs::read_to_string("/proc/self/status").map_or(0, |status| ignored(&status));
    let heeded = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
    let mut signals = signal_hook::iterator::Signals::new(heeded)?;
    let told = move || signals.forever().for_each(|_| close_all());
    std::thread::Builder::new().name("headwater-signals".to_owned()).spawn(told)?;
    Ok(())
}

/// The signals that a process ignores, a bit for each, as Linux tells it in the process's `status`.
#[cfg(unix)]
fn ignored(status: &str) -> u64 {
    let bits = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    bits.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(not(unix))]
fn listen() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(close_all)
}

#[cfg(all(test, unix))]
mod tests {
    use super::ignored;

    #[test]
    fn what_is_ignored_is_read_from_what_linux_says() {
        assert_eq!(ignored("SigBlk:\t0000000000000000\nSigIgn:\t0000000000001003\nSigCgt:\t0\n"), 0x1003);
        assert_eq!(ignored("Name:\tservice\n"), 0, "another system says nothing of it");
    }
}
