//! The application that is killed. What its outputs must be follows from its inputs alone, whatever order its tasks run in.

use std::time::Duration;

use anyhow::{Context, Result};
use headwater::prelude::*;

/// Events: key, and as value the number of the event among those of its key, and the account that it names.
pub const EVENTS: &str = "events";
/// Accounts: key, and as value which version of it this is.
pub const ACCOUNTS: &str = "accounts";
/// Outputs that an event's transaction writes together: the event's number, three times.
pub const TOGETHER: [&str; 3] = ["left", "right", "counts"];
/// How many events named an account so far, behind a repartition topic.
pub const GROUPS: &str = "groups";
/// How many events of a key were in a window, once it is closed: `key@start`.
pub const WINDOWS: &str = "windows";
/// Each key's last event beside the account that it names, and that one's version.
pub const JOINED: &str = "joined";
/// How an application that closes says that it was kept from its last commit.
const NOT_COMMITTED: &str = "the last commit did not come about";
/// How long a window of events is.
pub const WINDOW: Duration = Duration::from_secs(1);

/// How much of the topology there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What is written together, alone: one task for each partition.
    Together,
    /// All of it.
    Everything,
}

impl Extent {
    /// The outputs of which each key has the numbers 1, 2, 3 and so on.
    pub fn numbered(self) -> impl Iterator<Item = &'static str> {
        TOGETHER.into_iter().chain((self == Extent::Everything).then_some(GROUPS))
    }

    /// All outputs.
    pub fn outputs(self) -> impl Iterator<Item = &'static str> {
        let more = (self == Extent::Everything).then_some([WINDOWS, JOINED]);
        self.numbered().chain(more.into_iter().flatten())
    }

    /// All inputs.
    pub fn inputs(self) -> impl Iterator<Item = &'static str> {
        std::iter::once(EVENTS).chain((self == Extent::Everything).then_some(ACCOUNTS))
    }
}

/// The name of a topic of the application `id`.
pub fn topic(id: &str, name: &str) -> String {
    format!("{id}-{name}")
}

/// Topology of the application `id`.
pub fn topology(id: &str, extent: Extent) -> Result<Topology> {
    let builder = StreamsBuilder::new();
    let text = |table: KTable<String, i64>| table.to_stream().map_values(|_, count| count.map(|n| n.to_string()));
    let events = builder.stream::<String, String>(topic(id, EVENTS));
    events.to(topic(id, "left").as_str());
    events.to(topic(id, "right").as_str());
    text(events.group_by_key().count()).to(topic(id, "counts").as_str());
    if extent == Extent::Everything {
        text(events.group_by(|_, event| account_of(event)).count()).to(topic(id, GROUPS).as_str());
        let windows = TimeWindows::of_size_with_no_grace(WINDOW);
        let counts = events.group_by_key().windowed_by(windows).count();
        let closed = counts.suppress(Suppressed::until_window_closes(BufferConfig::unbounded())).to_stream();
        let closed = closed.map(|key, count| {
            (format!("{}@{}", key.key, key.window.start.millis()), count.map(|count| count.to_string()))
        });
        closed.to(topic(id, WINDOWS).as_str());
        let accounts = builder.table::<String, String>(&topic(id, ACCOUNTS));
        let last = events.to_table();
        let joined = last.join_on(
            &accounts,
            |_: &String, event: &String| Some(account_of(event)),
            |event, version| format!("{event} {version}"),
        );
        joined.to_stream().to(topic(id, JOINED).as_str());
    }
    Ok(builder.build()?)
}

fn account_of(event: &str) -> String {
    event.split(' ').nth(1).unwrap_or_default().to_owned()
}

/// Runs an instance until SIGTERM: `BOOTSTRAP ID [KEY=VALUE]...`. What it says goes to standard error.
pub fn serve(arguments: impl Iterator<Item = String>) -> Result<()> {
    instance(arguments, |id| topology(id, Extent::Everything))
}

/// The same, of any topology.
pub fn instance(
    mut arguments: impl Iterator<Item = String>,
    topology: impl FnOnce(&str) -> Result<Topology>,
) -> Result<()> {
    let subscriber = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false);
    subscriber.with_max_level(tracing_subscriber::filter::LevelFilter::INFO).init();
    let mut next = || arguments.next().context("BOOTSTRAP ID [KEY=VALUE]...");
    let (bootstrap, id) = (next()?, next()?);
    let mut streams = KafkaStreams::builder(topology(&id)?).bootstrap_servers(bootstrap).application_id(&id);
    for setting in arguments {
        let (key, value) = setting.split_once('=').with_context(|| format!("{setting}: KEY=VALUE"))?;
        streams = streams.set(key, value);
    }
    let streams = streams.start()?;
    streams.close_on_signals()?;
    match streams.wait() {
        // Where brokers and processes are struck, that happens, and the log has it; what it costs is seen in what was written.
        Err(error) if error.to_string().starts_with(NOT_COMMITTED) => Ok(()),
        ended => Ok(ended?),
    }
}
