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
       conformance --random N --seed S [--stores memory|rocksdb]     random programs until N have run; needs Java, Maven
       conformance golden [DIR]                                      Java records and checks; needs Java, Maven";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// `--help`.
    Help,
    /// `golden`.
    Golden { folder: Option<PathBuf> },
    /// Recorded scenarios.
    Scenarios { folder: Option<PathBuf>, filter: Option<String>, stores: Stores },
    /// Recorded scenarios, started again in the middle.
    Restart { folder: Option<PathBuf>, filter: Option<String>, stores: Stores, cuts: Cuts },
    /// Random programs.
    Random { wanted: usize, seed: u64, stores: Stores },
}

impl Command {
    /// Reads the words after the program's name.
    ///
    /// # Errors
    /// When a word is unknown or its value missing.
    pub(crate) fn parse(words: &[String]) -> Result<Command> {
        let (mut folder, mut filter, mut stores, mut random, mut seed) = (None, None, Stores::Memory, None, None);
        let (mut golden, mut restart, mut count) = (false, None, None);
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
                "--random" => random = Some(value()?.parse().context("`--random` needs a number")?),
                "--seed" => seed = Some(value()?.parse().context("`--seed` needs a number")?),
                _ if word.starts_with('-') => bail!("unknown option `{word}`"),
                "golden" if !golden && folder.is_none() => golden = true,
                _ if folder.is_none() => folder = Some(PathBuf::from(word)),
                _ => bail!("`{word}` is one folder too many"),
            }
        }
        if let Some(state) = restart.filter(|_| !golden && random.is_none()) {
            let cuts = Cuts { state, seed: seed.unwrap_or_default(), count: count.unwrap_or(3) };
            return Ok(Command::Restart { folder, filter, stores, cuts });
        }
        if restart.is_some() || count.is_some() {
            bail!("`--cuts` goes with `--restart`, and neither with `golden` or `--random`");
        }
        match (golden, random, seed) {
            (true, None, None) if filter.is_none() => Ok(Command::Golden { folder }),
            (false, Some(wanted), Some(seed)) if folder.is_none() && filter.is_none() => {
                Ok(Command::Random { wanted, seed, stores })
            }
            (false, None, None) => Ok(Command::Scenarios { folder, filter, stores }),
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
        let all = Command::Scenarios { folder: None, filter: None, stores: Stores::Memory };
        assert_eq!(parse("").unwrap(), all);
    }

    #[test]
    fn options_come_in_any_order() {
        let chosen = Command::Scenarios {
            folder: Some(PathBuf::from("dir/x")),
            filter: Some("late".to_owned()),
            stores: Stores::RocksDb,
        };
        assert_eq!(parse("--stores rocksdb dir/x --filter late").unwrap(), chosen);
        assert_eq!(
            parse("--seed 7 --random 3").unwrap(),
            Command::Random { wanted: 3, seed: 7, stores: Stores::Memory }
        );
        assert_eq!(parse("golden").unwrap(), Command::Golden { folder: None });
        assert_eq!(parse("golden dir").unwrap(), Command::Golden { folder: Some(PathBuf::from("dir")) });
        assert_eq!(parse("--random 3 --help").unwrap(), Command::Help);
    }

    #[test]
    fn a_restart_has_three_cuts_from_seed_0_unless_told() {
        let cuts = |state, seed, count| Cuts { state, seed, count };
        let all = |cuts| Command::Restart { folder: None, filter: None, stores: Stores::Memory, cuts };
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
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
