//! What a leader gives to whom.

use headwater_store::{Logging, StoreKind, StoreSpec};
use headwater_topology::node::{NodeSpec, SourceTopics};
use headwater_topology::{Draft, TopologySettings};

use super::*;

fn got(plan: &BTreeMap<String, Got>) -> String {
    let line = |(member, got): (&String, &Got)| {
        let next = match got.info.next_rebalance_ms {
            NO_REBALANCE => "",
            REBALANCE_AT_ONCE => " again",
            _ => " later",
        };
        format!("{member}: {}{next}\n", got.active().join(" "))
    };
    plan.iter().map(line).collect()
}

fn four() -> BTreeMap<TaskId, TaskView> {
    tasks(&[(part(0, &["a"], false), 4)])
}

#[test]
fn there_is_a_task_for_each_partition_of_the_widest_topic() {
    let counts = [(Topic::from("a"), 1), (Topic::from("b"), 2)].into();
    let tasks = derive_tasks(&[part(0, &["a", "b"], false), part(2, &["a"], true)], &counts).unwrap();
    let inputs: Vec<String> = tasks.iter().map(|(id, task)| format!("{id} {:?}", task.partitions)).collect();
    assert_eq!(inputs, ["0_0 {a-0, b-0}", "0_1 {b-1}", "2_0 {a-0}"]);
    assert_eq!((tasks[&id("0_0")].end_offset_sum, tasks[&id("2_0")].end_offset_sum), (Some(0), None));
}

#[test]
fn parts_with_a_logged_store_have_state() {
    let draft = Draft::new();
    let source =
        |topic: &str| draft.add_node(NodeSpec::source(topic, SourceTopics::Named(vec![topic.to_owned()]), None));
    let unlogged = StoreSpec { logging: Logging::Disabled, ..StoreSpec::new("unlogged", StoreKind::KeyValue) };
    source("plain");
    for spec in [StoreSpec::new("logged", StoreKind::KeyValue), unlogged] {
        let name = spec.name.clone();
        let parent = source(&format!("of-{name}"));
        let store = draft.add_store(spec);
        draft.add_node(NodeSpec::processor(name, [parent]).with_store(store));
    }
    let topology = draft.freeze(&TopologySettings::new()).unwrap();
    let sources = [(0, "plain"), (1, "of-logged"), (2, "of-unlogged")];
    let sources = sources.map(|(part, topic)| (SubtopologyId::new(part), [topic.to_owned()].into())).into();
    let expected = [part(0, &["plain"], false), part(1, &["of-logged"], true), part(2, &["of-unlogged"], false)];
    assert_eq!(SubtopologyView::all(&topology, &sources), expected);
}

#[test]
fn a_missing_source_topic_is_told_to_all() {
    let error = derive_tasks(&[part(0, &["a"], false)], &BTreeMap::<Topic, i32>::new()).unwrap_err();
    assert_eq!(error, AssignorError::IncompleteSourceTopicMetadata);
    let members = [Described::new("m1", 1), Described::new("m2", 2)];
    let plan = decoded(&plan_error(&group(&members), error));
    assert_eq!(plan.len(), 2);
    assert!(plan.values().all(|got| got.info.error_code == 1 && got.partitions.is_empty()));
}

#[test]
fn the_only_member_gets_everything() {
    assert_eq!(got(&decide(&[Described::new("m1", 1)], &four())), "m1: 0_0 0_1 0_2 0_3\n");
}

#[test]
fn what_another_member_still_owns_is_held_back() {
    let old = Described::new("m1", 1).owning(&["a-0", "a-1", "a-2", "a-3"]);
    let new = Described::new("m2", 2);
    assert_eq!(got(&decide(&[old.clone(), new.clone()], &four())), "m1: 0_0 0_1\nm2:  again\n");
    let revoked = old.owning(&["a-0", "a-1"]);
    assert_eq!(got(&decide(&[revoked, new], &four())), "m1: 0_0 0_1\nm2: 0_2 0_3\n");
}

#[test]
fn a_task_with_one_input_still_owned_is_held_back_whole() {
    let tasks = tasks(&[(part(0, &["a", "b"], false), 2)]);
    let old = Described::new("m1", 1).owning(&["a-0", "a-1", "b-0"]);
    assert_eq!(got(&decide(&[old, Described::new("m2", 2)], &tasks)), "m1: 0_0\nm2:  again\n");
}

#[test]
fn active_tasks_are_listed_in_the_order_of_partitions() {
    let tasks = tasks(&[(part(0, &["z"], false), 2), (part(1, &["a", "b"], false), 2)]);
    let plan = decide(&[Described::new("m1", 1)], &tasks);
    let partitions: Vec<String> = plan["m1"].partitions.iter().map(ToString::to_string).collect();
    let listed: Vec<String> = plan["m1"].info.active.iter().map(ToString::to_string).collect();
    assert_eq!(partitions, ["a-0", "a-1", "b-0", "b-1", "z-0", "z-1"]);
    assert_eq!(listed, ["1_0", "1_1", "1_0", "1_1", "0_0", "0_1"]);
}

#[test]
fn the_tasks_of_each_part_spread_over_processes_and_threads() {
    let tasks = tasks(&[(part(0, &["a"], false), 4), (part(1, &["b"], false), 4)]);
    let members = [Described::new("m1", 1), Described::new("m2", 1), Described::new("m3", 2), Described::new("m4", 2)];
    let expected = "m1: 0_0 1_0\nm2: 0_2 1_2\nm3: 0_1 1_1\nm4: 0_3 1_3\n";
    assert_eq!(got(&decide(&members, &tasks)), expected);
}

#[test]
fn a_process_with_more_threads_gets_more() {
    let tasks = tasks(&[(part(0, &["a"], true), 6)]);
    let members = [Described::new("m1", 1), Described::new("m2", 1), Described::new("m3", 2)];
    let plan = decide(&members, &tasks);
    assert!(plan.values().all(|got| got.active().len() == 2), "{}", got(&plan));
}

#[test]
fn a_task_without_a_runner_goes_where_most_of_its_state_is() {
    let tasks = tasks(&[(part(0, &["a"], true), 2)]);
    let members = [
        Described::new("m1", 1).with_state(&[("0_0", 400), ("0_1", 999)]),
        Described::new("m2", 2).with_state(&[("0_0", 900), ("0_1", 5)]),
    ];
    assert_eq!(got(&decide(&members, &tasks)), "m1: 0_1\nm2: 0_0\n");
}

#[test]
fn of_too_many_tasks_those_with_state_elsewhere_are_given_up() {
    let tasks = tasks(&[(part(0, &["a"], true), 4)]);
    let running = [("0_0", -2), ("0_1", -2), ("0_2", -2), ("0_3", -2)];
    let members = [
        Described::new("m1", 1).with_state(&running).owning(&["a-0", "a-1", "a-2", "a-3"]),
        Described::new("m2", 2).with_state(&[("0_0", 1000), ("0_1", 1000)]),
    ];
    let plan = decide(&members, &tasks);
    assert_eq!(got(&plan), "m1: 0_2 0_3\nm2:  again\n");
    let waiting: Vec<TaskId> = plan["m2"].info.standby.keys().copied().collect();
    assert_eq!(waiting, [id("0_0"), id("0_1")], "what it will run it keeps warm until then");
}

/// State on disk is the process's, but what one of its threads runs is no other's previous task: asked for in turn, and closed and
/// opened each time, such tasks never came to rest.
#[test]
fn a_thread_does_not_ask_for_what_another_of_its_process_runs() {
    let tasks = tasks(&[(part(0, &["a"], true), 2), (part(1, &["b"], true), 2)]);
    let on_disk = [("0_0", 1000), ("0_1", 1000), ("1_0", 1000), ("1_1", 1000)];
    let members = [
        Described::new("m1", 1).with_state(&[&on_disk[..], &[("0_1", -2)]].concat()).owning(&["a-1"]),
        Described::new("m2", 1).with_state(&[&on_disk[..], &[("1_0", -2)]].concat()).owning(&["b-0", "b-1"]),
    ];
    assert_eq!(got(&decide(&members, &tasks)), "m1: 0_0 0_1\nm2: 1_0 1_1\n");
}

#[test]
fn standbys_are_never_where_the_task_is_active() {
    let settings = AssignmentSettings { standby_replicas: 1, ..AssignmentSettings::default() };
    let members = [Described::new("m1", 1), Described::new("m2", 2)];
    let tasks = tasks(&[(part(0, &["a"], true), 2), (part(1, &["b"], false), 2)]);
    let plan = decoded(&plan(&group(&members), tasks, &[], settings, &StickyAssignor, Timestamp::ZERO));
    assert_eq!(got(&plan), "m1: 0_0 1_0\nm2: 0_1 1_1\n");
    assert_eq!(plan["m1"].info.standby, [(id("0_1"), [tp("a-1")].into())].into());
    assert_eq!(plan["m2"].info.standby, [(id("0_0"), [tp("a-0")].into())].into());
}

#[test]
fn hosts_are_told_to_all_with_the_partitions_planned_for_them() {
    let mut members = [Described::new("m1", 1), Described::new("m2", 2)];
    members[0].info.end_point = "one:1".to_owned();
    members[1].info.end_point = "two:2".to_owned();
    let plan = decide(&members, &tasks(&[(part(0, &["a"], false), 2)]));
    let expected: BTreeMap<HostPort, _> =
        [(HostPort::new("one", 1), [tp("a-0")].into()), (HostPort::new("two", 2), [tp("a-1")].into())].into();
    assert!(plan.values().all(|got| got.info.partitions_by_host == expected));
}

#[test]
fn a_wish_to_close_the_application_is_passed_on_to_all() {
    let mut members = [Described::new("m1", 1), Described::new("m2", 2)];
    members[1].info.error_code = AssignorError::ShutdownRequested.code();
    let plan = decide(&members, &four());
    assert!(plan.values().all(|got| got.info.error_code == 4 && got.partitions.is_empty()));
}

#[test]
fn a_member_of_a_newer_version_gets_nothing_and_is_told_ours() {
    let mut members = [Described::new("m1", 1), Described::new("m2", 2), Described::new("m3", 3)];
    members[1].info.version = 12;
    members[1].info.latest_version = 12;
    members[2].info.version = 10;
    members[2].info.latest_version = 10;
    let plan = decide(&members, &four());
    assert_eq!(got(&plan), "m1: 0_0 0_2\nm2: \nm3: 0_1 0_3\n");
    assert!(plan.values().all(|got| (got.info.version, got.info.common_version) == (10, 10)));
}

#[test]
fn what_a_member_of_a_newer_version_still_owns_is_held_back() {
    let mut newer = Described::new("m2", 2).owning(&["a-0"]);
    newer.info.version = 12;
    assert_eq!(got(&decide(&[Described::new("m1", 1), newer], &four())), "m1: 0_1 0_2 0_3 again\nm2: \n");
}

#[test]
fn too_old_and_too_new_members_cannot_share_a_group() {
    let mut members = [Described::new("m1", 1), Described::new("m2", 2), Described::new("m3", 3)];
    members[1].info.version = 12;
    members[2].info.version = 2;
    let plan = decide(&members, &four());
    assert!(plan.values().all(|got| got.info.error_code == AssignorError::AssignmentError.code()));
}

#[test]
fn a_partition_that_two_claim_is_given_to_neither_until_both_have_let_go() {
    let members = [Described::new("m1", 1).owning(&["a-0"]), Described::new("m2", 2).owning(&["a-0"])];
    let tasks = tasks(&[(part(0, &["a"], false), 1)]);
    assert_eq!(got(&decide(&members, &tasks)), "m1:  again\nm2: \n");
}

#[test]
fn one_member_of_the_leaders_process_is_asked_to_look_again() {
    #[derive(Debug)]
    struct Warming;
    impl TaskAssignor for Warming {
        fn assign(&self, view: &ClusterView) -> Placement {
            Placement { probing: true, ..StickyAssignor.assign(view) }
        }
    }
    let members = [Described::new("m1", 1), Described::new("m2", 1), Described::new("m3", 2)];
    let now = Timestamp::from_millis(5);
    let plan = decoded(&plan(&group(&members), four(), &[], AssignmentSettings::default(), &Warming, now));
    let next: Vec<i64> = plan.values().map(|got| got.info.next_rebalance_ms).collect();
    assert_eq!(next, [600_005, NO_REBALANCE, NO_REBALANCE]);
}

#[test]
fn an_assignor_that_does_not_place_every_task_is_an_error_for_all() {
    #[derive(Debug)]
    struct Careless(fn(&mut Placement));
    impl TaskAssignor for Careless {
        fn assign(&self, view: &ClusterView) -> Placement {
            let mut placement = StickyAssignor.assign(view);
            (self.0)(&mut placement);
            placement
        }
    }
    let faults: [fn(&mut Placement); 4] = [
        |placement| placement.active.retain(|task, _| *task != id("0_0")),
        |placement| placement.active.extend([(id("7_7"), Uuid::from_u128(1))]),
        |placement| placement.active.extend([(id("0_0"), Uuid::from_u128(9))]),
        |placement| placement.standby.extend([(id("0_0"), [placement.active[&id("0_0")]].into())]),
    ];
    for fault in faults {
        let group = group(&[Described::new("m1", 1), Described::new("m2", 2)]);
        let plan = plan(&group, four(), &[], AssignmentSettings::default(), &Careless(fault), Timestamp::ZERO);
        assert!(decoded(&plan).values().all(|got| got.info.error_code == AssignorError::AssignmentError.code()));
    }
}

#[test]
fn lags_are_counted_as_java_counts_them() {
    let end = |end_offset_sum| TaskView { stateful: true, end_offset_sum, ..TaskView::default() };
    let mut tasks: BTreeMap<TaskId, TaskView> =
        ["0_0", "0_1", "0_2", "0_3", "0_4"].iter().map(|task| (id(task), end(Some(100)))).collect();
    tasks.insert(id("0_5"), end(None));
    let sums = [("0_0", LATEST_OFFSET), ("0_1", 30), ("0_2", 130), ("0_3", UNKNOWN_OFFSET), ("0_5", 1)];
    let members = [Described::new("m1", 1).with_state(&sums)];
    let view = super::super::view::cluster_view(&group(&members), tasks, &[], AssignmentSettings::default());
    let client = &view.clients[&Uuid::from_u128(1)];
    let lags: Vec<Option<i64>> = client.lags.values().copied().collect();
    assert_eq!(lags, [Some(LATEST_OFFSET), Some(70), Some(100), None, Some(100), None]);
    assert!(client.is_caught_up(id("0_1"), 70) && !client.is_caught_up(id("0_1"), 69));
}
