//! The example's command line.

const USAGE: &str = "\
Usage: word_count [--bootstrap HOST:PORT] [--input TOPIC] [--output TOPIC] [--partitions N] [--set KEY=VALUE]...
                  [--log LEVEL]

  --bootstrap HOST:PORT  a real cluster; without it, a Kafka in this process
  --input TOPIC          the lines (lines)
  --output TOPIC         the counts (counts)
  --partitions N         of topics that are not there yet (4)
  --set KEY=VALUE        any setting of Kafka Streams or of Kafka's clients, such as state.dir=/var/lib/word-count
  --log LEVEL            error, warn (the default), info, debug or trace, on standard error";

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) bootstrap: Option<String>,
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) partitions: i32,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) log: tracing_subscriber::filter::LevelFilter,
}

impl Arguments {
    pub(crate) fn parse() -> Result<Self, String> {
        let mut arguments = Arguments {
            bootstrap: None,
            input: "lines".to_owned(),
            output: "counts".to_owned(),
            partitions: 4,
            settings: Vec::new(),
            log: tracing_subscriber::filter::LevelFilter::WARN,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--bootstrap" => arguments.bootstrap = Some(value()?),
                "--input" => arguments.input = value()?,
                "--output" => arguments.output = value()?,
                "--partitions" => arguments.partitions = value()?.parse().map_err(|_| USAGE)?,
                "--set" => {
                    let setting = value()?;
                    let (key, value) = setting.split_once('=').ok_or(USAGE)?;
                    arguments.settings.push((key.to_owned(), value.to_owned()));
                }
                "--log" => arguments.log = value()?.parse().map_err(|_| USAGE)?,
                _ => return Err(format!("{word} is no argument of this example\n{USAGE}")),
            }
        }
        Ok(arguments)
    }
}
