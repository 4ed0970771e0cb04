//! Kafka's `SmokeTestClient`: echo, and minimum, sums, maximum, sum, count, difference, average and a table of counts of each key's
//! numbers.

use std::time::Duration;

use anyhow::Result;
use headwater::prelude::*;

/// What the client writes, but for the echo.
pub const OUTPUTS: [&str; 11] =
    ["min-raw", "min-suppressed", "min", "sws-raw", "sws-suppressed", "max", "sum", "cnt", "dif", "avg", "tagg"];
/// The key of records that only move time on.
pub const FLUSH: &str = "flush";
const DAY: Duration = Duration::from_hours(24);

/// The name of a topic of the application `id`.
pub fn topic(id: &str, name: &str) -> String {
    format!("{id}-{name}")
}

fn is_flush(key: &str) -> bool {
    key == FLUSH
}

/// The topology of the application `id`.
pub fn topology(id: &str) -> Result<Topology> {
    let builder = StreamsBuilder::new();
    let topic = |name: &str| topic(id, name);
    let data = builder.stream::<String, i32>(topic("data"));
    data.filter_not(|key, _| is_flush(key)).to(topic("echo").as_str());
    let grouped = data.group_by_key();

    let windows = TimeWindows::of_size_and_grace(DAY, Duration::from_mins(1));
    let kept = Materialized::named("uwin-min").with_retention(Duration::from_hours(25));
    let min = grouped.windowed_by(windows).aggregate_with(|| i32::MAX, |_, value, min| min.min(*value), kept);
    raw_and_suppressed(&min, &topic("min-raw"), &topic("min-suppressed"));
    unwindowed(&min).to(topic("min").as_str());

    let windows = TimeWindows::of_size_and_grace(Duration::from_secs(2), Duration::from_secs(30));
    let sums = grouped.windowed_by(windows.advance_by(Duration::from_secs(1))).reduce(|sum, value| sum + value);
    raw_and_suppressed(&sums, &topic("sws-raw"), &topic("sws-suppressed"));

    let two_days = || grouped.windowed_by(TimeWindows::of_size_with_no_grace(DAY * 2));
    let max = two_days().aggregate_with(|| i32::MIN, |_, value, max| max.max(*value), Materialized::named("uwin-max"));
    unwindowed(&max).to(topic("max").as_str());
    let sum = two_days().aggregate_with(|| 0, |_, value, sum| sum + i64::from(*value), Materialized::named("win-sum"));
    unwindowed(&sum).to(topic("sum").as_str());
    let count = two_days().count_with(Materialized::named("uwin-cnt"));
    unwindowed(&count).to(topic("cnt").as_str());

    let min =
        builder.table_with(&topic("min"), Consumed::<String, i32>::by_type(), Materialized::named("minStoreName"));
    let max =
        builder.table_with(&topic("max"), Consumed::<String, i32>::by_type(), Materialized::named("maxStoreName"));
    let sum = builder.table::<String, i64>(&topic("sum"));
    let count =
        builder.table_with(&topic("cnt"), Consumed::<String, i64>::by_type(), Materialized::named("cntStoreName"));
    max.join(&min, |max, min| max - min).to_stream().filter_not(|key, _| is_flush(key)).to(topic("dif").as_str());
    let average = sum.join(&count, |sum, count| *sum as f64 / *count as f64);
    average.to_stream().filter_not(|key, _| is_flush(key)).to(topic("avg").as_str());
    let by_count = count.group_by(|_, count| (count.to_string(), 1_i64));
    let tagged = by_count.aggregate_with(
        || 0,
        |_, one, all| all + one,
        |_, one, all| all - one,
        Materialized::named("cntByCnt").in_memory(),
    );
    tagged.to_stream().to(topic("tagg").as_str());
    Ok(builder.build()?)
}

/// All results of windows, and the last of each.
fn raw_and_suppressed(table: &KTable<Windowed<String>, i32>, raw: &str, suppressed: &str) {
    let closed = table.suppress(Suppressed::until_window_closes(BufferConfig::unbounded()));
    for (table, topic) in [(table, raw), (&closed, suppressed)] {
        let rows = table.to_stream().filter_not(|key, _| is_flush(&key.key));
        rows.map(|key, value| (format!("{}@{}", key.key, key.window.start.millis()), *value)).to(topic);
    }
}

/// By key alone, as Java's `Unwindow`.
fn unwindowed<V: DefaultSerde + Clone>(table: &KTable<Windowed<String>, V>) -> KStream<String, Option<V>> {
    table.to_stream().filter_not(|key, _| is_flush(&key.key)).map(|key, value| (key.key.clone(), value.clone()))
}
