//! Members whose subscriptions are not the leader's.

use super::*;

fn topics(names: &[&str]) -> BTreeSet<Topic> {
    names.iter().map(|name| Topic::from(*name)).collect()
}

/// A group of members that read these topics, beside the leader, which reads `a` and `b`.
fn reading(members: &[(&str, &[&str])]) -> GroupView {
    let mut group = group(&[Described::new("leader", 1)]);
    group.members[0].subscription.topics = vec![Topic::from("a"), Topic::from("b")];
    for ((member, read), process) in members.iter().zip(2..) {
        let mut member = Described::new(member, process).subscriber();
        member.subscription.topics = read.iter().map(|topic| Topic::from(*topic)).collect();
        group.members.push(member);
    }
    group
}

fn differences(group: &GroupView) -> Vec<Difference> {
    let named = topics(&["a", "b"]);
    Difference::all(group, LeaderTopics { named: &named, matches: &|topic| topic.as_str().starts_with("p-") })
}

fn both() -> BTreeMap<TaskId, TaskView> {
    tasks(&[(part(0, &["a"], true), 2), (part(1, &["a", "b"], false), 2)])
}

fn planned(group: &GroupView) -> BTreeMap<String, Got> {
    let settings = AssignmentSettings { standby_replicas: 1, ..AssignmentSettings::default() };
    decoded(&plan(group, both(), &differences(group), settings, &StickyAssignor, Timestamp::ZERO))
}

#[test]
fn members_with_the_same_topics_and_topics_of_patterns_do_not_differ() {
    assert_eq!(differences(&reading(&[("m", &["a", "b"]), ("n", &["b", "a", "p-1"])])), []);
}

#[test]
fn who_lacks_topics_and_has_others_runs_another_application() {
    let group = reading(&[("less", &["a"]), ("more", &["a", "b", "c"]), ("other", &["b", "c"])]);
    let found = differences(&group);
    let said: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        ["member less does not read b", "member more reads c", "member other does not read a, and reads c"]
    );
    let others: Vec<bool> = found.iter().map(Difference::is_another_application).collect();
    assert_eq!(others, [false, false, true]);
}

#[test]
fn another_application_is_told_what_the_leader_reads_and_the_rest_share_the_tasks() {
    let plan = planned(&reading(&[("other", &["c"]), ("same", &["a", "b"])]));
    let told = &plan["other"];
    assert_eq!((told.info.error_code, &told.partitions), (AssignorError::AssignmentError.code(), &vec![]));
    let expected: BTreeSet<TopicPartition> = [tp("a-0"), tp("b-0")].into();
    assert_eq!(told.info.standby.values().flatten().cloned().collect::<BTreeSet<_>>(), expected);
    let shared = [&plan["leader"], &plan["same"]];
    assert_eq!(shared.map(|got| got.active().len()), [2, 2]);
    assert!(shared.iter().all(|got| got.info.error_code == 0));
}

#[test]
fn a_member_gets_no_task_of_a_topic_that_it_does_not_read() {
    let plan = planned(&reading(&[("less", &["a"]), ("nothing", &[])]));
    assert_eq!(plan["nothing"].active(), Vec::<String>::new());
    assert!(plan["nothing"].info.standby.is_empty());
    assert!(plan["less"].active().iter().all(|task| task.starts_with("0_")));
    assert!(plan["less"].info.standby.keys().all(|task| task.to_string().starts_with("0_")));
    let mut all: Vec<String> = plan.values().flat_map(Got::active).collect();
    all.sort();
    assert_eq!(all, ["0_0", "0_1", "1_0", "1_1"]);
}
