//! The command line.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use headwater::testing::StateOnDisk;
use headwater_conformance::interpret::Stores;
use headwater_conformance::restart::Cuts;

/// What the command line may say.
pub(crate) const USAGE: &str = "\
usage: conformance [DIR] [--filter TEXT] [--stores memory|rocksdb]   recorded scenarios, those of the project or of DIR
       conformance --restart wiped|kept [--seed S] [--cuts N] [DIR] [--filter TEXT] [--stores memory|rocksdb]
                                                                     the same, started again at random steps
       conformance --partitions P [DIR] [--filter TEXT] [--stores memory|rocksdb]
                                                                     as applications on P partitions, against one
       conformance --random N --seed S [--partitions P] [--stores memory|rocksdb]
                                                                     random programs until N have run; needs Java, Maven
       conformance golden [DIR]                                      Java records and checks; needs Java, Maven";

/// So many letters there are for records that come to each partition.
const MOST_PARTITIONS: i32 = 4;

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// `--help`.
    Help,
    /// `golden`.
    Golden { folder: Option<PathBuf> },
    /// Recorded scenarios.
    Scenarios { folder: Option<PathBuf>, filter: Option<String>, how: How, stores: Stores },
    /// Random programs.
    Random { wanted: usize, seed: u64, how: How, stores: Stores },
}

/// How each program is run, and against what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Against Java.
    Whole,
    /// Started again in the middle, against itself without that.
    Restarted(Cuts),
    /// As an application on so many partitions, against itself on one.
    Spread { partitions: i32 },
}

impl Command {
    /// Reads the words after the program's name.
    ///
    /// # Errors
    /// When a word is unknown or its value missing.
    pub(crate) fn parse(words: &[String]) -> Result<Command> {
        let (mut folder, mut filter, mut stores, mut random, mut seed) = (None, None, Stores::Memory, None, None);
        let (mut golden, mut restart, mut count, mut partitions) = (false, None, None, None);
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("`{word}` needs a value"));
            match word {
                "-h" | "--help" => return Ok(Command::Help),
                "--filter" => filter = Some(value()?.to_owned()),
                "--stores" => {
                    stores = match value()? {
                        "memory" => Stores::Memory,
                        "rocksdb" => Stores::RocksDb,
                        other => bail!("no stores `{other}`"),
                    }
                }
                "--restart" => {
                    restart = Some(match value()? {
                        "wiped" => StateOnDisk::Wiped,
                        "kept" => StateOnDisk::Kept,
                        other => bail!("state is `wiped` or `kept`, not `{other}`"),
                    });
                }
                "--cuts" => count = Some(value()?.parse().context("`--cuts` needs a number")?),
                "--partitions" => {
                    let count = value()?.parse().ok().filter(|count: &i32| (1..=MOST_PARTITIONS).contains(count));
                    partitions = Some(count.with_context(|| format!("`--partitions` is 1 to {MOST_PARTITIONS}"))?);
                }
                "--random" => random = Some(value()?.parse().context("`--random` needs a number")?),
                "--seed" => seed = Some(value()?.parse().context("`--seed` needs a number")?),
                _ if word.starts_with('-') => bail!("unknown option `{word}`"),
                "golden" if !golden && folder.is_none() => golden = true,
                _ if folder.is_none() => folder = Some(PathBuf::from(word)),
                _ => bail!("`{word}` is one folder too many"),
            }
        }
        let how = match (restart, partitions) {
            (Some(state), None) => {
                let cuts = Cuts { state, seed: seed.unwrap_or_default(), count: count.unwrap_or(3) };
                How::Restarted(cuts)
            }
            (None, Some(partitions)) => How::Spread { partitions },
            (None, None) => How::Whole,
            (Some(_), Some(_)) => bail!("`--restart` and `--partitions` do not go together"),
        };
        let is_restart = matches!(how, How::Restarted(_));
        if count.is_some() && !is_restart {
            bail!("`--cuts` goes with `--restart`");
        }
        match (golden, random, seed) {
            (true, None, None) if filter.is_none() && how == How::Whole => Ok(Command::Golden { folder }),
            (false, Some(wanted), Some(seed)) if folder.is_none() && filter.is_none() && !is_restart => {
                Ok(Command::Random { wanted, seed, how, stores })
            }
            (false, None, _) if is_restart || seed.is_none() => Ok(Command::Scenarios { folder, filter, how, stores }),
            (false, Some(_), None) | (false, None, Some(_)) => bail!("`--random` and `--seed` come together"),
            _ => bail!("these options do not go together"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command> {
        Command::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn without_words_the_projects_scenarios_run_in_memory() {
        let all = Command::Scenarios { folder: None, filter: None, how: How::Whole, stores: Stores::Memory };
        assert_eq!(parse("").unwrap(), all);
    }

    #[test]
    fn options_come_in_any_order() {
        let chosen = Command::Scenarios {
            folder: Some(PathBuf::from("dir/x")),
            filter: Some("late".to_owned()),
            how: How::Whole,
            stores: Stores::RocksDb,
        };
        assert_eq!(parse("--stores rocksdb dir/x --filter late").unwrap(), chosen);
        assert_eq!(
            parse("--seed 7 --random 3").unwrap(),
            Command::Random { wanted: 3, seed: 7, how: How::Whole, stores: Stores::Memory }
        );
        let how = How::Spread { partitions: 3 };
        assert_eq!(
            parse("--random 9 --partitions 3 --seed 1").unwrap(),
            Command::Random { wanted: 9, seed: 1, how, stores: Stores::Memory }
        );
        let all = Command::Scenarios { folder: None, filter: None, how, stores: Stores::Memory };
        assert_eq!(parse("--partitions 3").unwrap(), all);
        assert_eq!(parse("golden").unwrap(), Command::Golden { folder: None });
        assert_eq!(parse("golden dir").unwrap(), Command::Golden { folder: Some(PathBuf::from("dir")) });
        assert_eq!(parse("--random 3 --help").unwrap(), Command::Help);
    }

    #[test]
    fn a_restart_has_three_cuts_from_seed_0_unless_told() {
        let cuts = |state, seed, count| How::Restarted(Cuts { state, seed, count });
        let all = |how| Command::Scenarios { folder: None, filter: None, how, stores: Stores::Memory };
        assert_eq!(parse("--restart kept").unwrap(), all(cuts(StateOnDisk::Kept, 0, 3)));
        assert_eq!(parse("--cuts 10 --seed 4 --restart wiped").unwrap(), all(cuts(StateOnDisk::Wiped, 4, 10)));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "a b",
            "--filter",
            "--stores disk",
            "--random 3",
            "--seed 1",
            "--random x --seed 1",
            "--what",
            "golden --filter x",
            "--restart",
            "--restart maybe",
            "--cuts 3",
            "golden --restart kept",
            "--random 1 --seed 2 --restart kept",
            "--random 1 --seed 2 dir",
            "--partitions 0",
            "--partitions 3 --restart kept",
            "--partitions 3 --seed 1",
            "golden --partitions 3",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
