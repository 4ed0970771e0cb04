//! What a test's `unwrap` and a `main` that returns an error show.
#![allow(missing_docs, reason = "a test")]

use std::error::Error as _;

use headwater::client::{ClientError, GroupError};
use headwater::prelude::*;
use headwater::record::SerdeError;
use headwater::runtime::{assignment, changelog, directory, internal_topics, membership};
use headwater::store::StoreError;
use headwater::window::WindowError;
use headwater::{Error, ErrorKind};

#[test]
fn errors_show_their_text_not_their_fields() {
    let topic = headwater::record::Topic::from("t");
    let client = || ClientError::Unavailable { servers: "b:9092".into(), reason: "refused".into() };
    let shown: [(&str, Box<dyn std::error::Error>); 11] = [
        ("SerdeError", SerdeError::Null { type_name: "String" }.into()),
        ("WindowError", WindowError::SizeZero.into()),
        ("StoreError", StoreError::Io { store: "s".into(), reason: "disk full".into() }.into()),
        ("GroupError", GroupError::UnknownMember.into()),
        ("ClientError", client().into()),
        ("CodecError", assignment::CodecError::Trailing { what: "x", count: 1 }.into()),
        ("MembershipError", membership::MembershipError::AssignmentFailed.into()),
        ("UpdateFailure", changelog::UpdateFailure::MissingChangelog(topic.clone()).into()),
        ("DirectoryError", directory::DirectoryError::Locked { path: "state".into() }.into()),
        ("InternalTopicsError", internal_topics::InternalTopicsError::MissingSources(vec![topic]).into()),
        ("Unavailable", Error::from(client()).into()),
    ];
    for (name, error) in shown {
        assert_eq!(format!("{error:?}"), format!("{name}: {error}"));
    }
}

#[test]
fn causes_are_shown_below_what_they_caused_unless_it_said_them() {
    let number = "x".parse::<i32>().expect_err("no number");
    let error = Error::config("the port is no number: write digits").with_source(number);
    let shown = "Config: the port is no number: write digits\n  caused by: invalid digit found in string";
    assert_eq!(format!("{error:?}"), shown);
    let copy = error.clone();
    assert_eq!(format!("{copy:?}"), shown);
    assert!(copy.source().is_some_and(<dyn std::error::Error>::is::<std::num::ParseIntError>));
}

#[test]
fn starting_with_a_mistake_shows_what_to_do() {
    let builder = StreamsBuilder::new();
    builder.stream::<Option<String>, String>("in").to("out");
    let application = KafkaStreams::builder(builder.build().expect("a topology")).set("poll.ms", "soon");
    let error = application.drive().expect_err("there is no id");
    assert_eq!(error.kind(), ErrorKind::Config);
    let shown = format!("{error:?}");
    assert!(shown.starts_with("Config: application.id is missing: give the application a name"), "{shown}");
}
