//! Placements against Java's own: `integration-tests/java/Placements.java` wrote them down.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// `java -cp 'LIBS/*' integration-tests/java/Placements.java 7 400`
const JAVA: &str = include_str!("placements.txt");

/// What Java was asked, and what it said.
struct Case {
    view: ClusterView,
    expected: Placement,
}

fn ids(text: &str) -> BTreeSet<TaskId> {
    text.split_whitespace().map(id).collect()
}

fn case(line: &str) -> Case {
    let parts: Vec<&str> = line.split(';').collect();
    let (clients, said) = parts[2..].split_at((parts.len() - 3) / 2);
    let settings: Vec<i64> = parts[0].split(' ').map(|number| number.parse().unwrap()).collect();
    let mut view = ClusterView {
        settings: AssignmentSettings {
            acceptable_recovery_lag: settings[0],
            max_warmup_replicas: settings[1] as usize,
            standby_replicas: settings[2] as usize,
            ..AssignmentSettings::default()
        },
        ..ClusterView::default()
    };
    let task = |stateful| TaskView { stateful, end_offset_sum: Some(50_000), ..TaskView::default() };
    view.tasks.extend(ids(parts[1]).into_iter().map(|id| (id, task(false))));
    let mut expected = Placement { probing: said[0] == "true", ..Placement::default() };
    for (client, got) in clients.iter().zip(&said[1..]) {
        let mut words = client.split_whitespace();
        let (process, threads) = (words.next().unwrap().parse().unwrap(), words.next().unwrap().parse().unwrap());
        let lags: BTreeMap<TaskId, Option<i64>> = words
            .map(|word| {
                let (task, lag) = word.split_once('=').unwrap();
                (id(task), Some(lag.parse().unwrap()).filter(|lag| *lag != UNKNOWN_OFFSET))
            })
            .collect();
        view.tasks.extend(lags.keys().map(|id| (*id, task(true))));
        let consumers = (0..threads).map(|thread: usize| (format!("{process}-{thread}"), ConsumerView::default()));
        view.clients.insert(process, ClientView { consumers: consumers.collect(), lags, ..ClientView::default() });
        let (active, standby) = got.split_once('/').unwrap();
        expected.active.extend(ids(active).into_iter().map(|task| (task, process)));
        for task in ids(standby) {
            expected.standby.entry(task).or_default().insert(process);
        }
    }
    Case { view, expected }
}

#[test]
fn tasks_go_where_java_puts_them() {
    let file = std::env::var("HEADWATER_PLACEMENTS").map(|path| std::fs::read_to_string(path).unwrap());
    let text = file.as_deref().unwrap_or(JAVA);
    let (mut moved, mut probing) = (0, 0);
    for line in text.lines() {
        let Case { view, expected } = case(line);
        assert_eq!(HighAvailabilityTaskAssignor.assign(&view), expected, "{line}");
        moved += usize::from(!expected.standby.is_empty());
        probing += usize::from(expected.probing);
    }
    assert!(moved > 100 && probing > 100, "they say something: {moved} have standbys, {probing} look again");
}
