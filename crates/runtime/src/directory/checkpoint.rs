//! The index of changelog offsets beside a task's state, in the text format of Java's `.checkpoint`.
//!
//! It is a hint: the offset that a store commits with its content is the truth, and an index that is missing or unreadable costs
//! nothing but a worse choice of who takes over the task.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use headwater_record::{Offset, TopicPartition};

use super::{DirectoryError, layout};

/// Java's `OFFSET_UNKNOWN`: the store is known, and nothing was applied to it.
const OFFSET_UNKNOWN: i64 = -4;

/// What the index of this task says; nothing when it cannot be read.
pub(super) fn read(task: &Path) -> BTreeMap<TopicPartition, Offset> {
    fs::read_to_string(task.join(layout::CHECKPOINT)).ok().and_then(|text| parse(&text)).unwrap_or_default()
}

/// Replaces the index; without offsets the file goes.
pub(super) fn write(task: &Path, offsets: &BTreeMap<TopicPartition, Option<Offset>>) -> Result<(), DirectoryError> {
    let path = task.join(layout::CHECKPOINT);
    if offsets.is_empty() {
        return match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(DirectoryError::unusable(&path, "deleted", &error))
            }
            _ => Ok(()),
        };
    }
    // It is written at every commit, and may be lost.
    layout::replace(&path, &render(offsets), false).map_err(|error| DirectoryError::unusable(&path, "written", &error))
}

fn render(offsets: &BTreeMap<TopicPartition, Option<Offset>>) -> String {
    let mut text = format!("0\n{}\n", offsets.len());
    for (partition, offset) in offsets {
        let offset = offset.map_or(OFFSET_UNKNOWN, Offset::value);
        // Writing into a text does not fail.
        let _ = writeln!(text, "{} {} {offset}", partition.topic, partition.partition);
    }
    text
}

fn parse(text: &str) -> Option<BTreeMap<TopicPartition, Offset>> {
    let mut lines = text.lines();
    if lines.next()?.trim() != "0" {
        return None;
    }
    let expected: usize = lines.next()?.trim().parse().ok()?;
    let mut offsets = BTreeMap::new();
    let mut found = 0;
    for line in lines {
        let mut words = line.split_whitespace();
        let (topic, partition, offset) = (words.next()?, words.next()?, words.next()?);
        let partition = TopicPartition::new(topic, partition.parse().ok()?);
        let offset: i64 = offset.parse().ok()?;
        found += 1;
        if offset >= 0 {
            offsets.insert(partition, Offset::new(offset));
        }
    }
    (found == expected).then_some(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_java_s_and_reads_back() {
        let offsets = BTreeMap::from([
            (TopicPartition::new("app-a-changelog", 0), Some(Offset::new(41))),
            (TopicPartition::new("app-b-changelog", 0), None),
        ]);
        let text = render(&offsets);
        assert_eq!(text, "0\n2\napp-a-changelog 0 41\napp-b-changelog 0 -4\n");
        let read = parse(&text).unwrap();
        assert_eq!(read, BTreeMap::from([(TopicPartition::new("app-a-changelog", 0), Offset::new(41))]));
    }

    #[test]
    fn a_text_that_is_cut_off_or_of_another_version_says_nothing() {
        assert_eq!(parse("0\n2\na 0 41\n"), None);
        assert_eq!(parse("1\n1\na 0 41\n"), None);
        assert_eq!(parse("0\n1\na 0\n"), None);
        assert_eq!(parse(""), None);
    }
}
