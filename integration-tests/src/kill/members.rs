//! The processes: how they are started, struck, and what must be left of their disks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use crate::fleet::Fleet;
use crate::log::restored;

/// How long a transaction may be open, and how long a member may be silent.
pub(super) const TRANSACTION: Duration = Duration::from_secs(3);
pub(super) const SESSION: Duration = Duration::from_secs(6);
/// A file that is to stay in each task's directory.
const MARKER: &str = "marker";
/// Stores in memory: what they hold is restored from the beginning.
const IN_MEMORY: &str = "SUPPRESS";

/// What happens to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blow {
    /// It is killed, and comes back on the same disk.
    Kill,
    /// It is killed, and comes back without anything.
    KillAndWipe,
    /// It stands still for so long.
    Stop(Duration),
    /// It closes, and comes back.
    Close,
}

/// One place for a process.
#[derive(Debug, Default)]
struct Place {
    /// When it is to go on, while it stands still.
    stands: Option<Instant>,
    markers: Vec<PathBuf>,
    /// What of each changelog is surely on its disk.
    on_disk: BTreeMap<String, i64>,
    /// Whether it began with a disk that was left.
    kept: bool,
    /// How many lines it had said at the last but one look, and at the last.
    said: [usize; 2],
}

/// All processes of an application.
#[derive(Debug)]
pub(super) struct Members {
    pub(super) fleet: Fleet,
    program: PathBuf,
    bootstrap: String,
    id: String,
    settings: Vec<String>,
    state: tempfile::TempDir,
    places: Vec<Place>,
    /// How many records were restored after kills that left the disk.
    pub(super) restored: i64,
}

impl Members {
    pub(super) fn new(
        count: usize,
        program: PathBuf,
        bootstrap: &str,
        id: &str,
        settings: Vec<String>,
        patience: Duration,
    ) -> Result<Self> {
        let (bootstrap, id, state) = (bootstrap.to_owned(), id.to_owned(), tempfile::tempdir()?);
        let places = (0..count).map(|_| Place::default()).collect();
        let fleet = Fleet::new(patience);
        let mut members = Members { fleet, program, bootstrap, id, settings, state, places, restored: 0 };
        (0..count).try_for_each(|number| members.start(number))?;
        Ok(members)
    }

    fn state(&self, number: usize) -> PathBuf {
        self.state.path().join(number.to_string())
    }

    fn start(&mut self, number: usize) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.env("NO_COLOR", "1").args(["instance", &self.bootstrap, &self.id]).args(&self.settings);
        command.arg(format!("state.dir={}", self.state(number).display()));
        // All but the last come back as who they were.
        if number + 1 < self.places.len() {
            command.arg(format!("group.instance.id=place-{number}"));
        }
        self.fleet.start(&name(number), &mut command)
    }

    fn place(&mut self, number: usize) -> Result<&mut Place> {
        self.places.get_mut(number).with_context(|| format!("there is no place {number}"))
    }

    /// Those that run.
    pub(super) fn going(&self) -> Vec<usize> {
        let numbered = self.places.iter().enumerate();
        numbered.filter(|(_, place)| place.stands.is_none()).map(|(number, _)| number).collect()
    }

    /// Lets go on who has stood still for long enough, or all.
    pub(super) fn wake(&mut self, all: bool) -> Result<()> {
        for (number, place) in self.places.iter_mut().enumerate() {
            if place.stands.is_some_and(|until| all || until <= Instant::now()) {
                place.stands = None;
                self.fleet.signal(&name(number), Signal::SIGCONT)?;
            }
        }
        Ok(())
    }

    /// Strikes, and starts again what has ended.
    pub(super) fn strike(&mut self, number: usize, blow: Blow) -> Result<()> {
        match blow {
            Blow::Stop(time) => {
                self.fleet.signal(&name(number), Signal::SIGSTOP)?;
                self.place(number)?.stands = Some(Instant::now() + time);
                return Ok(());
            }
            Blow::Kill | Blow::KillAndWipe => {
                self.mark(number)?;
                let log = self.fleet.kill(&name(number))?;
                self.compare(number, &log, false)?;
            }
            Blow::Close => {
                let log = self.fleet.terminate(&name(number))?;
                self.compare(number, &log, true)?;
            }
        }
        if blow == Blow::KillAndWipe {
            std::fs::remove_dir_all(self.state(number))?;
            *self.place(number)? = Place::default();
        }
        let place = self.place(number)?;
        (place.said, place.kept) = ([0, 0], blow != Blow::KillAndWipe);
        self.start(number)
    }

    /// Leaves a file in the directory of each task.
    fn mark(&mut self, number: usize) -> Result<()> {
        let of_application = self.state(number).join(&self.id);
        let Ok(entries) = std::fs::read_dir(of_application) else { return Ok(()) };
        let mut markers = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                markers.push(path.join(MARKER));
            }
        }
        for marker in &markers {
            std::fs::write(marker, "")?;
        }
        self.place(number)?.markers = markers;
        Ok(())
    }

    /// Nothing is gone from any disk.
    pub(super) fn look(&mut self) -> Result<()> {
        for (number, place) in self.places.iter_mut().enumerate() {
            let gone: Vec<_> = place.markers.iter().filter(|marker| !marker.exists()).collect();
            ensure!(gone.is_empty(), "{} has wiped {gone:?}", name(number));
            if place.stands.is_none() {
                place.said = [place.said[1], self.fleet.log(&name(number))?.len()];
            }
        }
        Ok(())
    }

    /// What a process has restored is no more than what was not on its disk; what it leaves there.
    fn compare(&mut self, number: usize, log: &[String], closed: bool) -> Result<()> {
        let place = self.places.get_mut(number).context("a place")?;
        let restored_all = restored(log)?;
        // What was restored comes to disk behind the back of its task: it is there a look or two later.
        let safe = if closed { log.len() } else { place.said[0] };
        let safe = restored(log.get(..safe.min(log.len())).unwrap_or_default())?.len();
        for (turn, back) in restored_all.into_iter().enumerate() {
            if back.changelog.contains(IN_MEMORY) {
                continue;
            }
            if place.kept {
                self.restored += back.records;
            }
            let on_disk = place.on_disk.entry(back.changelog.clone()).or_default();
            let from = back.from;
            // The end of a log may be that of what was aborted: it is read again, and is nothing.
            let new = (back.to - from.max(*on_disk)).max(0);
            ensure!(back.records <= new, "{} has restored {back:?}, and {on_disk} was on its disk", name(number));
            let is_there = match turn < safe {
                true => back.to,
                // It was opened there; a standby that became active has gone on since, in memory.
                false if !was_standby(log, &back.changelog) => from,
                false => 0,
            };
            *on_disk = (*on_disk).max(is_there);
        }
        Ok(())
    }

    /// Closes all.
    pub(super) fn close(&mut self) -> Result<()> {
        for number in 0..self.places.len() {
            let log = self.fleet.terminate(&name(number))?;
            self.compare(number, &log, true)?;
        }
        Ok(())
    }
}

/// Whether a process followed this changelog for a standby.
fn was_standby(log: &[String], changelog: &str) -> bool {
    let changelog = format!(" changelog={changelog} ");
    log.iter().any(|line| line.contains("following the changelog of a standby") && line.contains(&changelog))
}

fn name(number: usize) -> String {
    format!("instance {number}")
}
