//! `cargo xtask simulate`: whole applications on one thread, seed after seed, while everything goes wrong that can.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a command line tool talks on its standard output")]
#![allow(clippy::disallowed_methods, reason = "it says how long it took")]

mod arguments;
mod programs;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Result;
use headwater::testing::simulation::{Report, Simulation};

use arguments::Arguments;
use programs::PROGRAMS;

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    std::panic::set_hook(Box::new(|_| {}));
    let began = Instant::now();
    let (passed, failed) = if arguments.trace { traced(&arguments) } else { all(&arguments) };
    println!("{} seeds took {:.1} s", passed + failed, began.elapsed().as_secs_f64());
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs all seeds, on so many threads. Gives how many passed and failed.
fn all(arguments: &Arguments) -> (u64, u64) {
    let (next, passed, failed) = (AtomicU64::new(arguments.from), AtomicU64::new(0), AtomicU64::new(0));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let enough = arguments.until_failed && failed.load(Ordering::Relaxed) > 0;
            if seed >= arguments.from + arguments.seeds || enough {
                return;
            }
            let Err(why) = run(arguments, seed, false) else {
                passed.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            // The seed that failed first is the one to be told where no more are wanted.
            if failed.fetch_add(1, Ordering::Relaxed) == 0 || !arguments.until_failed {
                println!("{why}\n  again: cargo xtask simulate --seed {seed} --trace{}", arguments.again());
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            scope.spawn(work);
        }
    });
    (passed.into_inner(), failed.into_inner())
}

/// Runs one seed and shows all that happened.
fn traced(arguments: &Arguments) -> (u64, u64) {
    match run(arguments, arguments.from, true) {
        Ok(report) => {
            println!("{}\n{report}", report.trace);
            (1, 0)
        }
        Err(why) => {
            println!("{why}");
            (0, 1)
        }
    }
}

/// Runs one seed. Gives what is to be said of one that failed.
fn run(arguments: &Arguments, seed: u64, trace: bool) -> Result<Report, String> {
    let (name, simulation) = program(arguments, seed);
    let simulation = simulation().traced(trace);
    let simulation = if seed % 8 == 7 { on_rocksdb(simulation) } else { simulation };
    match catch_unwind(AssertUnwindSafe(|| simulation.run(seed))) {
        Ok(report) if report.passed() => Ok(report),
        Ok(report) => Err(format!("{}{name}, {report}", report.trace)),
        Err(panic) => Err(format!("{name}, seed {seed} failed: it panicked: {}", of_panic(panic.as_ref()))),
    }
}

fn program(arguments: &Arguments, seed: u64) -> (&'static str, fn() -> Simulation) {
    let named = arguments.program.as_ref().and_then(|name| PROGRAMS.iter().find(|(program, _)| program == name));
    let by_seed = PROGRAMS.iter().cycle().nth((seed % PROGRAMS.len() as u64) as usize);
    *named.or(by_seed).unwrap_or(&PROGRAMS[0])
}

#[cfg(feature = "rocksdb")]
fn on_rocksdb(simulation: Simulation) -> Simulation {
    use headwater::rocksdb::RocksDbStores;
    use headwater::store::MemoryBudget;
    let budget = MemoryBudget { block_cache_bytes: 1 << 20, write_buffer_bytes: 1 << 20, committed_bytes: 1 << 12 };
    simulation.persistent_stores(std::sync::Arc::new(RocksDbStores::new(budget)))
}

#[cfg(not(feature = "rocksdb"))]
fn on_rocksdb(simulation: Simulation) -> Simulation {
    simulation
}

fn of_panic(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a word".to_owned())
}
