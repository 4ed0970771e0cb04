//! What the kernel says of this process.

use std::fs;

use anyhow::{Context, Result};

/// `sysconf(_SC_CLK_TCK)` of every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds of processor time of all threads, user and system.
pub(crate) fn cpu_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat").context("reading the process's times")?;
    // The name of the program stands in brackets and may contain anything.
    let (_, fields) = stat.rsplit_once(')').context("/proc/self/stat has no name")?;
    let mut ticks = 0.0;
    for field in fields.split_whitespace().skip(11).take(2) {
        ticks += field.parse::<f64>().context("/proc/self/stat")?;
    }
    Ok(ticks / TICKS_PER_SECOND)
}

/// The most memory that was resident at once, KiB.
pub(crate) fn peak_rss_kib() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("reading the process's memory")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("/proc/self/status has no VmHWM")?;
    line.trim().trim_end_matches(" kB").parse().context("VmHWM")
}
