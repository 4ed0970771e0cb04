//! The user's code panics where the runtime calls it: it is a failure like others, and whoever closes the application does not wait
//! for ever.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use headwater_record::{Offset, TopicPartition};
use headwater_runtime::changelog::RestoreListener;
use headwater_runtime::{Builder, CloseOptions, ErrorKind, NoDefault, State, UncaughtResponse};

use crate::threads::{Counts, PATIENCE, builder, cluster, feed};
use crate::world::APPLICATION;

/// With a handler that tells what it hears and answers with `response`.
fn heard(builder: Builder<NoDefault>, response: UncaughtResponse) -> (Builder<NoDefault>, Receiver<String>) {
    let (tell, messages) = channel();
    let tell = Mutex::new(tell);
    let builder = builder.uncaught_error_handler(move |error| {
        assert_eq!(error.kind(), ErrorKind::User);
        let _ = tell.lock().unwrap().send(error.to_string());
        response
    });
    (builder, messages)
}

#[test]
fn a_state_listener_that_panics_fails_a_thread() {
    let cluster = cluster();
    let (builder, messages) = heard(builder(&cluster), UncaughtResponse::ShutdownClient);
    let streams = builder.state_listener(|_, to| assert_ne!(to, State::Running, "not like this")).start().unwrap();
    let text = messages.recv_timeout(PATIENCE).expect("the handler hears of it");
    assert!(text.contains("the state listener panicked") && text.contains("not like this"), "{text}");
    let error = streams.wait().unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::User, text));
    assert_eq!(streams.state(), State::Error);
    assert!(cluster.group(APPLICATION).members.is_empty(), "it has left all the same");
}

#[test]
fn a_state_listener_that_panics_at_the_end_does_not_keep_close_from_returning() {
    let cluster = cluster();
    let listener = |_, to: State| assert!(!to.is_ending(), "I do not want to go");
    let streams = builder(&cluster).state_listener(listener).start().unwrap();
    feed(&cluster, "x");
    Counts::of(&cluster).wait_until(|counts| counts.contains_key("x"));
    let error = streams.close(CloseOptions::default().timeout(PATIENCE)).unwrap_err();
    assert!(error.to_string().contains("I do not want to go"), "{error}");
    assert!(streams.state().is_final(), "{}", streams.state());
    assert!(cluster.group(APPLICATION).members.is_empty());
}

#[test]
fn a_handler_of_uncaught_errors_that_panics_closes_the_instance() {
    let cluster = cluster();
    let streams =
        builder(&cluster).uncaught_error_handler(|error| panic!("cannot decide about {error}")).start().unwrap();
    feed(&cluster, "panic");
    let error = streams.wait().unwrap_err();
    assert!(error.to_string().contains("the word is panic"), "the first error counts: {error}");
    assert_eq!(streams.state(), State::Error);
}

/// Panics as soon as something is restored, the first time it is asked.
#[derive(Debug, Default)]
struct Clumsy(Arc<Mutex<bool>>);

impl RestoreListener for Clumsy {
    fn on_start(&self, _: &TopicPartition, store: &str, _: Offset, _: Offset) {
        let before = std::mem::replace(&mut *self.0.lock().unwrap(), true);
        assert!(before, "stumbled over {store}");
    }
}

#[test]
fn a_restore_listener_that_panics_fails_its_thread_and_another_restores() {
    let cluster = cluster();
    feed(&cluster, "x");
    let first = builder(&cluster).start().unwrap();
    let mut counts = Counts::of(&cluster);
    counts.wait_until(|counts| counts.get("x") == Some(&1));
    first.close(CloseOptions::default().timeout(PATIENCE)).unwrap();

    let (builder, messages) = heard(builder(&cluster), UncaughtResponse::ReplaceThread);
    let streams = builder.restore_listener(Clumsy::default()).start().unwrap();
    let text = messages.recv_timeout(PATIENCE).expect("the handler hears of it");
    assert!(text.contains("restoring state panicked") && text.contains("stumbled over counts"), "{text}");
    feed(&cluster, "x");
    counts.wait_until(|counts| counts.get("x") == Some(&2));
    streams.close(CloseOptions::default().timeout(PATIENCE)).unwrap();
}
