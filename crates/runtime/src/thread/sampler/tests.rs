//! What follows from one time to the next.

use headwater_record::{Offset, TopicPartition};
use headwater_store::{StoreKind, StoreSpec};
use headwater_topology::Draft;

use super::*;
use crate::instance::{CommitMetadata, InputProgress};

const TASK: TaskId = TaskId::new(0, 0);

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn thread(told: i64, task: TaskMetadata) -> ThreadMetadata {
    ThreadMetadata {
        number: 1,
        name: "thread".to_owned(),
        state: ThreadState::PartitionsAssigned,
        since: at(told),
        told: at(told),
        tasks: BTreeMap::from([(TASK, task)]),
        processed: 0,
        fetched: 0,
        sent: 0,
        under_way: 0,
        commits: CommitMetadata::default(),
        rebalances: Vec::new(),
    }
}

fn task(phase: TaskPhase) -> TaskMetadata {
    TaskMetadata {
        role: TaskRole::Active,
        phase,
        inputs: BTreeMap::new(),
        stream_time: Timestamp::UNKNOWN,
        stores: Vec::new(),
        restore: None,
        nodes: BTreeMap::new(),
        dropped: BTreeMap::new(),
        dead_letters: 0,
        caches: BTreeMap::new(),
        commits: 0,
        waits_for: BTreeMap::new(),
    }
}

fn restoring(position: i64, applied: u64) -> TaskMetadata {
    let stores = vec![StoreProgress {
        store: Draft::new().add_store(StoreSpec::new("counts", StoreKind::KeyValue)),
        name: "counts".to_owned(),
        changelog: TopicPartition::new("counts-changelog", 0),
        position: Some(Offset::new(position)),
        committed: None,
        end: Some(Offset::new(10_000)),
        applied,
    }];
    TaskMetadata { stores, ..task(TaskPhase::Restoring) }
}

fn restore(told: &ThreadMetadata) -> Option<RestoreProgress> {
    told.tasks.get(&TASK).and_then(|task| task.restore)
}

#[test]
fn a_restore_has_a_rate_and_a_time_left_as_long_as_it_lasts() {
    let mut sampler = Sampler::new(at(0));
    let first = restore(&sampler.follow(thread(1_000, restoring(500, 500)))).unwrap();
    assert_eq!((first.since, first.moved, first.remaining), (at(1_000), at(1_000), Some(9_500)));
    assert_eq!((first.per_second, first.time_left), (0, None), "nobody knows yet");
    let second = restore(&sampler.follow(thread(3_000, restoring(4_500, 4_500)))).unwrap();
    assert_eq!((second.since, second.moved, second.remaining), (at(1_000), at(3_000), Some(5_500)));
    assert_eq!((second.per_second, second.time_left), (2_000, Some(Duration::from_millis(2_750))));
    let third = restore(&sampler.follow(thread(5_000, restoring(4_500, 4_500)))).unwrap();
    assert_eq!((third.moved, third.per_second), (at(3_000), 1_000), "it stands");
    assert_eq!(restore(&sampler.follow(thread(6_000, task(TaskPhase::Running)))), None);
    let again = restore(&sampler.follow(thread(9_000, restoring(0, 0)))).unwrap();
    assert_eq!((again.since, again.moved), (at(9_000), at(9_000)), "another one");
}

#[test]
fn it_is_known_since_when_inputs_stand_and_are_waited_for() {
    let (full, empty) = (TopicPartition::new("full", 0), TopicPartition::new("empty", 0));
    let looks = |told: i64, position: i64, waits: bool| {
        let input = InputProgress { position: Some(Offset::new(position)), ..InputProgress::UNKNOWN };
        let mut task = task(TaskPhase::Running);
        task.inputs = BTreeMap::from([(full.clone(), input), (empty.clone(), InputProgress::UNKNOWN)]);
        if waits {
            task.waits_for.insert(empty.clone(), at(told));
        }
        thread(told, task)
    };
    let mut sampler = Sampler::new(at(0));
    let mut follow = |told, position, waits| {
        let told = sampler.follow(looks(told, position, waits));
        let task = &told.tasks[&TASK];
        (task.inputs[&full].since.millis(), task.waits_for.get(&empty).map(|since| since.millis()))
    };
    assert_eq!(follow(1_000, 5, true), (1_000, Some(1_000)));
    assert_eq!(follow(2_000, 5, true), (1_000, Some(1_000)));
    assert_eq!(follow(3_000, 6, true), (3_000, Some(3_000)), "a record was taken meanwhile");
    assert_eq!(follow(4_000, 6, false), (3_000, None));
    assert_eq!(follow(5_000, 6, true), (3_000, Some(5_000)));
}
