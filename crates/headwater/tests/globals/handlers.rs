//! What cannot be decoded or processed on its way into a global store.

use headwater::ErrorKind;
use headwater::runtime::State;

use crate::world::{Heard, World, capitals, cities};

const CONTINUE: (&str, &str) = ("deserialization.exception.handler", "LogAndContinueExceptionHandler");
const DEAD: (&str, &str) = ("errors.dead.letter.queue.topic.name", "dead");

#[test]
fn a_record_that_cannot_be_decoded_goes_to_the_handler_and_to_the_dead_letters() {
    let world = World::new();
    let mut instances = [world.builder(cities(), 1).set_all([CONTINUE, DEAD]).drive().unwrap()];
    world.run_until_running(&mut instances);
    world.shop("a", Some("Rome"));
    world.put("shops", b"a", Some(b"\xff\xfe"));
    world.run_until_read(&mut instances);
    world.run_until(&mut instances, "there is a dead letter", |_| world.values("dead").len() == 1);
    assert_eq!(world.city_of(&mut instances, "a"), "Rome", "the row before stays");
}

#[test]
fn a_record_that_cannot_be_decoded_ends_the_application_unless_a_handler_lets_it_pass() {
    let world = World::new();
    let mut instances = [world.builder(cities(), 1).set_all([DEAD]).drive().unwrap()];
    world.run_until_running(&mut instances);
    world.put("shops", b"a", Some(b"\xff\xfe"));
    world.run_until(&mut instances, "it has ended", |instances| instances[0].state() == State::Error);
    assert_eq!(instances[0].outcome().expect_err("it failed").kind(), ErrorKind::Data);
    assert_eq!(world.values("dead").len(), 1, "its dead letter was sent");
}

/// Java 4.4 takes the rows of a global table as they are too when it restores them (`reprocessOnRestore` is false).
#[test]
fn a_row_that_was_there_before_the_start_and_cannot_be_read_is_named_by_the_join_that_meets_it() {
    let world = World::new();
    world.put("shops", b"a", Some(b"\xff\xfe"));
    world.shop("b", Some("Rome"));
    let mut instances = [world.instance(1)];
    world.run_until_running(&mut instances);
    assert_eq!(world.city_of(&mut instances, "b"), "Rome");
    world.sale("a", "pen");
    world.run_until(&mut instances, "it has ended", |instances| instances[0].state() == State::Error);
    let text = instances[0].outcome().expect_err("it failed").to_string();
    let row = "the row of \"a\" in the global store shops-STATE-STORE-0000000000, written by a record of topic shops with timestamp 1000000";
    assert!(text.contains(row), "{text}");
}

#[test]
fn a_processor_does_not_see_what_cannot_be_decoded_at_the_start_either() {
    let (world, heard) = (World::new(), Heard::default());
    world.put("shops", b"a", Some(b"\xff\xfe"));
    world.shop("a", Some("rome"));
    let mut instances = [world.builder(capitals(&heard), 1).set_all([CONTINUE, DEAD]).drive().unwrap()];
    world.run_until_running(&mut instances);
    assert_eq!(heard.take(), ["init", "a=rome"]);
    assert_eq!(world.values("dead").len(), 1);
}

#[test]
fn the_processing_handler_decides_about_global_stores_if_it_is_asked_to() {
    let runs = |enabled: &str| {
        let (world, heard) = (World::new(), Heard::default());
        let settings = [
            ("processing.exception.handler", "LogAndContinueProcessingExceptionHandler"),
            ("processing.exception.handler.global.enabled", enabled),
            DEAD,
        ];
        let mut instances = [world.builder(capitals(&heard), 1).set_all(settings).drive().unwrap()];
        world.run_until_running(&mut instances);
        world.shop("a", Some("bad"));
        world.shop("a", Some("rome"));
        world.run(&mut instances, 100);
        (instances[0].state(), world.values("dead"), heard.take().contains(&"a=rome".to_owned()))
    };
    assert_eq!(runs("true"), (State::Running, vec!["bad".to_owned()], true));
    assert_eq!(runs("false"), (State::Error, vec![], false));
}
