//! A process that is killed while it restores.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use headwater_record::{Offset, RawHeaders, RawRecord, Timestamp};
use tempfile::TempDir;

use crate::{Logged, MANY, commit, content, key_values, open};

const DIRECTORY: &str = "HEADWATER_TEST_BULK_DIRECTORY";

/// Restores in bulk until it is killed: each round writes all keys, and deletes one that the round before wrote.
fn restore_until_killed(directory: &Path) {
    let mut store = open(directory, &key_values());
    let mut out = std::io::stdout();
    let first = store.state().committed_offset().unwrap().map_or(0, |offset| offset.next().value() / MANY);
    for round in first.. {
        let log = rounds(round);
        let mut records = (round * MANY..).zip(&log).map(|(offset, record)| RawRecord {
            offset: Offset::new(offset),
            timestamp: Timestamp::ZERO,
            key: Some(&record.key),
            value: record.value.as_deref(),
            headers: RawHeaders::NONE,
        });
        store.state_mut().restore(&mut records).unwrap();
        commit(&mut store, (round + 1) * MANY - 1);
        writeln!(out, "committed {round}").unwrap();
    }
}

fn rounds(round: i64) -> Vec<Logged> {
    let record = |n: i64| Logged {
        key: n.to_be_bytes().to_vec(),
        value: (n % 100 != round % 100).then(|| Logged::value(round * MANY + n)),
    };
    (0..MANY).map(record).collect()
}

#[test]
fn no_offset_is_on_disk_before_its_rows_when_the_process_is_killed() {
    // The same test, run by itself as another process, is the one that restores.
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        return restore_until_killed(Path::new(&directory));
    }
    let directory = TempDir::new().unwrap();
    for commits in [3, 9, 5, 14] {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::no_offset_is_on_disk_before_its_rows_when_the_process_is_killed", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(writer.stdout.take().unwrap()).lines().map(Result::unwrap);
        let last = lines.filter(|line| line.starts_with("committed")).nth(commits).expect("the writer commits");
        writer.kill().unwrap();
        assert!(!writer.wait().unwrap().success(), "it was killed");

        let store = open(directory.path(), &key_values());
        let round = (store.state().committed_offset().unwrap().expect("rounds were flushed").value() + 1) / MANY - 1;
        let told: i64 = last.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(round <= told + 1, "nothing is there that was not committed");
        // Rows may be of the next round, never of one before.
        let found = content(&store);
        for n in 0..MANY {
            let writer = found.get(&n.to_be_bytes()[..]).copied();
            let of_next = n % 100 == (round + 1) % 100 && writer.is_none();
            match writer {
                Some(offset) => {
                    assert!((offset - n) / MANY >= round, "{n} is of {offset}, the offset of round {round}");
                    assert!(n % 100 != round % 100 || (offset - n) / MANY > round, "{n} was deleted by {round}");
                }
                None => assert!(n % 100 == round % 100 || of_next, "{n} is missing after {round}"),
            }
        }
    }
}
