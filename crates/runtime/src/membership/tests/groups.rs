//! Members among each other.

use headwater_client::GroupError;

use super::world::World;
use crate::membership::Event;

#[test]
fn the_first_member_gets_everything() {
    let mut world = World::new(4, false);
    world.start("m1");
    assert_eq!(world.log("m1"), ["assign 0_0 0_1 0_2 0_3"]);
    assert!(world.thread("m1").membership.is_stable());
}

#[test]
fn a_second_member_gets_what_the_first_has_given_up() {
    let mut world = World::new(4, true);
    world.start("m1");
    world.log("m1");
    world.start("m2");
    assert_eq!(world.log("m1"), ["revoke a-2 a-3", "assign 0_0 0_1", "assign 0_0 0_1"]);
    assert_eq!(world.log("m2"), ["assign ", "assign 0_2 0_3"]);
}

#[test]
fn tasks_go_on_while_the_others_take_their_time() {
    let mut world = World::new(4, true);
    world.start("m1");
    world.set_busy("m1", true);
    world.start("m2");
    assert_eq!(world.running(), "m1: 0_0 0_1, m2: ");
    assert!(world.thread("m1").membership.may_commit());
    world.start("m3");
    assert_eq!(world.running(), "m1: 0_0 0_1, m2: , m3: ", "the join waits for m1");
    world.set_busy("m1", false);
    assert_eq!(world.running(), "m1: 0_0 0_1, m2: 0_2, m3: 0_3");
}

#[test]
fn what_a_leaver_had_goes_to_the_others_and_nothing_else_moves() {
    let mut world = World::new(6, true);
    for name in ["m1", "m2", "m3"] {
        world.start(name);
    }
    assert_eq!(world.running(), "m1: 0_0 0_1, m2: 0_3 0_4, m3: 0_2 0_5");
    for name in ["m1", "m2", "m3"] {
        world.log(name);
    }
    world.tell("m2", Event::Close { leave: true });
    assert_eq!(world.log("m2"), ["left"]);
    assert_eq!(world.log("m1"), ["assign 0_0 0_1 0_3"]);
    assert_eq!(world.log("m3"), ["assign 0_2 0_4 0_5"]);
}

#[test]
fn a_rolling_restart_brings_every_task_back_to_its_state() {
    let mut world = World::new(6, true);
    for name in ["m1", "m2", "m3"] {
        world.start(name);
    }
    let before = world.running();
    for name in ["m1", "m2", "m3"] {
        world.tell(name, Event::Close { leave: true });
        world.start(name);
        assert_eq!(world.running(), before);
    }
}

#[test]
fn a_static_member_that_returns_gets_its_tasks_again() {
    let mut world = World::new(4, true);
    for name in ["m1", "m2"] {
        world.start_with(name, |settings| settings.instance_id = Some(name.to_owned()));
    }
    let before = world.running();
    world.tell("m2", Event::Close { leave: false });
    assert_eq!(world.running(), "m1: 0_0 0_1, m2: ", "nobody takes over while its place is kept");
    world.start_with("m2", |settings| settings.instance_id = Some("m2".to_owned()));
    assert_eq!(world.running(), before);
    assert_eq!(world.log("m2"), ["assign 0_2 0_3"]);
}

#[test]
fn a_replaced_static_member_fails_and_does_not_make_the_other_leave() {
    let mut world = World::new(2, false);
    world.start_with("old", |settings| settings.instance_id = Some("i".to_owned()));
    world.thread("old").dropped = true;
    world.start_with("new", |settings| settings.instance_id = Some("i".to_owned()));
    let log = world.log("old");
    assert!(log.last().unwrap().contains("another member with the same group.instance.id"), "{log:?}");
    world.tell("old", Event::Close { leave: true });
    assert_eq!(world.running(), "new: 0_0 0_1, old: ");
}

#[test]
fn a_member_that_was_dropped_loses_its_tasks_and_joins_as_a_new_one() {
    let mut world = World::new(4, true);
    world.start("m1");
    world.start("m2");
    let id = world.thread("m2").membership.identity().member_id.clone();
    world.log("m2");
    world.drop_member("m2");
    let log = world.log("m2");
    assert_eq!(log[0], "lost: the coordinator does not know this member any more");
    assert_ne!(world.thread("m2").membership.identity().member_id, id);
    assert_eq!(world.running(), "m1: 0_0 0_1, m2: 0_2 0_3");
}

#[test]
fn a_commit_that_is_refused_costs_the_place() {
    for (error, keeps_id) in [(GroupError::UnknownMember, false), (GroupError::IllegalGeneration, true)] {
        let mut world = World::new(2, true);
        world.start("m1");
        let id = world.thread("m1").membership.identity().member_id.clone();
        world.log("m1");
        if !keeps_id {
            world.coordinator.remove(&id);
        }
        world.tell("m1", Event::CommitRefused(error));
        let log = world.log("m1");
        assert!(log[0].starts_with("lost: ") && log[1] == "assign 0_0 0_1", "{error:?}: {log:?}");
        assert_eq!(world.thread("m1").membership.identity().member_id == id, keeps_id);
    }
}

#[test]
fn a_crash_gives_the_tasks_to_the_others() {
    let mut world = World::new(4, true);
    world.start("m1");
    world.start("m2");
    world.crash("m1");
    assert_eq!(world.running(), "m2: 0_0 0_1 0_2 0_3");
}

#[test]
fn a_wish_to_close_the_application_reaches_everyone() {
    let mut world = World::new(4, true);
    world.start("m1");
    world.start("m2");
    world.tell("m2", Event::ShutDownApplication);
    for name in ["m1", "m2"] {
        let log = world.log(name);
        assert_eq!(log.last().unwrap(), "fail: a member of the group asked for the whole application to close");
        world.tell(name, Event::Close { leave: true });
        assert_eq!(world.log(name), ["left"]);
    }
}

#[test]
fn more_partitions_are_spread_once_the_leader_asks_for_it() {
    let mut world = World::new(2, false);
    world.start("m1");
    world.start("m2");
    world.tasks = World::new(4, false).tasks;
    let leader = world.threads.iter().find(|(_, thread)| thread.membership.is_leader());
    let leader = leader.map(|(name, _)| name.clone()).unwrap();
    world.tell(&leader, Event::Rejoin { reason: "a topic has more partitions".to_owned() });
    assert_eq!(world.running(), "m1: 0_0 0_2, m2: 0_1 0_3");
}
