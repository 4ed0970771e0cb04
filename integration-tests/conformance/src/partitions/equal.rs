//! What a program tells on one partition against what it tells on several.

use std::collections::BTreeMap;

use headwater::record::Partition;

use super::flow::Told;
use crate::outcome::Record;

/// What lies in topics, by partition and offset.
pub(super) type Topics = BTreeMap<String, Vec<(Partition, Record)>>;

/// Compares what the topics tell for certain; records from `until_ms` on are left out.
///
/// # Errors
/// The first difference, in words.
pub(super) fn compare(
    told: &BTreeMap<String, Told>,
    until_ms: i64,
    alone: &Topics,
    spread: &Topics,
) -> Result<(), String> {
    told.iter().try_for_each(|(topic, told)| {
        let of = |topics: &Topics| -> Vec<(Partition, Record)> {
            let records = topics.get(topic).into_iter().flatten();
            records.filter(|(_, record)| record.timestamp.is_none_or(|time| time < until_ms)).cloned().collect()
        };
        let (alone, spread) = (of(alone), of(spread));
        let found = match told {
            Told::All => differs(&shown(alone), &shown(spread)),
            Told::Bare => differs(&shown(without_headers(alone)), &shown(without_headers(spread))),
            Told::Last => {
                let (alone, spread) = (without_headers(alone), without_headers(spread));
                let spread = rows(&spread).map_err(|key| format!("{topic}: {key} lies in two partitions"))?;
                differs(&rows(&alone).unwrap_or_default(), &spread)
            }
        };
        found.map_or(Ok(()), |found| Err(format!("{topic}{found}")))
    })
}

fn without_headers(records: Vec<(Partition, Record)>) -> Vec<(Partition, Record)> {
    records.into_iter().map(|(partition, record)| (partition, Record { headers: Vec::new(), ..record })).collect()
}

/// All records as text, sorted.
fn shown(records: Vec<(Partition, Record)>) -> Vec<String> {
    let mut shown: Vec<String> = records.iter().map(|(_, record)| record.to_string()).collect();
    shown.sort_unstable();
    shown
}

/// The last record of each key that is no deletion, as text.
///
/// # Errors
/// The key that lies in two partitions.
fn rows(records: &[(Partition, Record)]) -> Result<Vec<String>, String> {
    let mut last: BTreeMap<&Option<String>, (Partition, &Record)> = BTreeMap::new();
    for (partition, record) in records {
        let before = last.insert(&record.key, (*partition, record));
        if before.is_some_and(|(before, _)| before != *partition) {
            return Err(format!("{:?}", record.key));
        }
    }
    Ok(last.values().filter(|(_, record)| record.value.is_some()).map(|(_, record)| record.to_string()).collect())
}

/// Sorted lists: what one has that the other has not.
fn differs(alone: &[String], spread: &[String]) -> Option<String> {
    if alone == spread {
        return None;
    }
    let only = |of: &[String], not: &[String]| {
        let mut rest = not.to_vec();
        let mut only = of.to_vec();
        only.retain(|record| match rest.iter().position(|other| other == record) {
            Some(found) => {
                rest.swap_remove(found);
                false
            }
            None => true,
        });
        if only.is_empty() { "nothing".to_owned() } else { only.join(" ") }
    };
    Some(format!("\n    only on one partition {}\n    only on several {}", only(alone, spread), only(spread, alone)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(records: &[(Partition, &str, Option<&str>, i64)]) -> Topics {
        let record = |(partition, key, value, at): &(Partition, &str, Option<&str>, i64)| {
            let value = value.map(str::as_bytes);
            (*partition, Record::new(Some(key.as_bytes()), value, Some(*at), [("h", value)]))
        };
        Topics::from([("out".to_owned(), records.iter().map(record).collect())])
    }

    fn compared(told: Told, alone: &Topics, spread: &Topics) -> Result<(), String> {
        compare(&BTreeMap::from([("out".to_owned(), told)]), 100, alone, spread)
    }

    #[test]
    fn records_are_compared_whatever_their_order_and_partition() {
        let alone = topic(&[(0, "a", Some("1"), 1), (0, "b", Some("2"), 2), (0, "a", Some("1"), 1)]);
        let spread = topic(&[(2, "a", Some("1"), 1), (2, "a", Some("1"), 1), (1, "b", Some("2"), 2)]);
        assert_eq!(compared(Told::All, &alone, &spread), Ok(()));
        let once = topic(&[(2, "a", Some("1"), 1), (1, "b", Some("2"), 2), (1, "b", Some("9"), 100)]);
        let found = compared(Told::All, &alone, &once).unwrap_err();
        assert!(found.contains(r#"only on one partition ["'a","'1",1,[["h","'1"]]]"#), "{found}");
        assert!(found.ends_with("only on several nothing"), "those of the end are not compared: {found}");
    }

    #[test]
    fn last_rows_are_compared_and_lie_in_one_partition() {
        let alone = topic(&[(0, "a", Some("1"), 1), (0, "a", Some("2"), 2), (0, "b", Some("1"), 2), (0, "b", None, 3)]);
        assert_eq!(compared(Told::Last, &alone, &topic(&[(1, "a", Some("2"), 2)])), Ok(()));
        assert!(compared(Told::Last, &alone, &topic(&[(1, "a", Some("1"), 2)])).is_err());
        let twice = topic(&[(1, "a", Some("2"), 2), (2, "a", Some("2"), 2)]);
        assert_eq!(compared(Told::Last, &alone, &twice), Err("out: Some(\"'a\") lies in two partitions".to_owned()));
    }

    #[test]
    fn headers_are_compared_where_they_are_certain() {
        let with = topic(&[(0, "a", Some("1"), 1)]);
        let mut without = with.clone();
        without.values_mut().flatten().for_each(|(_, record)| record.headers.clear());
        assert!(compared(Told::All, &with, &without).is_err());
        assert_eq!(compared(Told::Bare, &with, &without), Ok(()));
    }
}
