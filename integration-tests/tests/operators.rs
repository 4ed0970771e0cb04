//! What operators do beyond what can be seen on topics.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use std::io::Write;
use std::sync::{Arc, Mutex};

use headwater::dsl::{Printed, StreamsBuilder};
use headwater::testing::TopologyTestDriver;

/// Text that is written by one and read by another.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn printing_writes_lines_as_java_does() {
    let (plain, labelled) = (Paper::default(), Paper::default());
    let builder = StreamsBuilder::new();
    let counts = builder.stream::<String, i64>("counts");
    counts.print_with(Printed::to_writer(plain.clone()));
    let shown = Printed::shown(labelled.clone(), |key: &String, value: &i64| format!("{key} has {value}"));
    counts.print_with(shown.with_label("seen").with_name("printer"));
    let topology = builder.build().unwrap();
    assert!(topology.describe().contains("Processor: printer (stores: [])"));
    let driver = TopologyTestDriver::new(topology).unwrap();
    let input = driver.input_topic::<String, i64>("counts");
    input.pipe("a".to_owned(), 1).unwrap();
    input.pipe("b".to_owned(), 2).unwrap();
    let text = |paper: &Paper| String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text(&plain), "[KSTREAM-SOURCE-0000000000]: a, 1\n[KSTREAM-SOURCE-0000000000]: b, 2\n");
    assert_eq!(text(&labelled), "[seen]: a has 1\n[seen]: b has 2\n");
}
