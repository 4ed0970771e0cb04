//! What stands in the log.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater::prelude::*;
use headwater::processor::Topology;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::world::World;

/// Where log lines are kept.
#[derive(Clone, Default)]
pub(crate) struct Log(pub(crate) Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines that `work` logs with these words.
pub(crate) fn logged(words: &str, work: impl FnOnce()) -> Vec<String> {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    {
        let _guard = subscriber.set_default();
        work();
    }
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    text.lines().filter(|line| line.contains(words)).map(str::to_owned).collect()
}

fn copies() -> Topology {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("left").to("out");
    builder.build().unwrap()
}

#[test]
fn a_summary_is_logged_at_its_interval() {
    let summaries = |interval: &str| {
        logged("a summary of the thread's work", || {
            let mut world = World::new(copies(), &[("log.summary.interval.ms", interval)]);
            (0..7).for_each(|time| world.feed("left", "k", time));
            world.run(Duration::from_secs(20));
        })
    };
    let lines = summaries("6000");
    let [first, second, third] = &lines[..] else { panic!("{lines:#?}") };
    assert!(first.contains("processed=7") && first.contains("sent=7"), "{first}");
    assert!([second, third].iter().all(|line| line.contains("processed=0")), "{lines:#?}");
    assert_eq!(summaries("18000").len(), 1);
    assert!(summaries("0").is_empty() && summaries("-1").is_empty());
}

#[test]
fn a_node_that_hands_nothing_on_is_told_of_with_the_reason() {
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
    let counts = builder.stream::<String, String>("left").group_by_key().windowed_by(windows).count();
    let finals = Suppressed::until_window_closes(BufferConfig::unbounded()).with_name("finals");
    counts.suppress(finals).to_stream().map(|key, count| (key.key.clone(), *count)).to_with("out", Produced::by_type());
    let topology = builder.build().unwrap();
    let lines = logged("has handed nothing on", || {
        let mut world = World::new(topology, &[("log.summary.interval.ms", "8000")]);
        world.feed("left", "a", 500);
        world.run(Duration::from_secs(8));
        // It has: there is nothing to tell of it the next time.
        world.feed("left", "a", 1_000);
        world.run(Duration::from_secs(8));
    });
    let [only] = &lines[..] else { panic!("{lines:#?}") };
    assert!(only.contains("node=finals") && only.contains("1 records wait") && only.contains("left-0"), "{only}");
}
