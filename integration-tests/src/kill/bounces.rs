//! Brokers that are killed or stopped, one at a time, and come back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::cluster::{Cluster, NODES};
use crate::dice::Dice;

/// Between the moment when all are in step again and the next one's end.
const PAUSE: std::ops::Range<Duration> = Duration::from_secs(4)..Duration::from_secs(10);
/// How long one is away.
const AWAY: std::ops::Range<Duration> = Duration::from_secs(1)..Duration::from_secs(8);

/// So many times, unless all is `over` before. In the end all are up and in step.
pub(super) fn run(cluster: &mut Cluster, times: u32, mut dice: Dice, over: &AtomicBool) -> Result<()> {
    for _ in 0..times {
        if !sleep(dice.within(PAUSE), over) {
            break;
        }
        let node = 1 + dice.below(u64::from(NODES.unsigned_abs())) as i32;
        if dice.one_in(2) {
            cluster.kill(node)?;
        } else {
            cluster.stop(node)?;
        }
        sleep(dice.within(AWAY), over);
        cluster.heal()?;
    }
    cluster.heal()
}

/// Whether it was not over meanwhile.
fn sleep(time: Duration, over: &AtomicBool) -> bool {
    let began = Instant::now();
    while began.elapsed() < time && !over.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(50));
    }
    !over.load(Ordering::SeqCst)
}
