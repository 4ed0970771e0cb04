//! What is asked, and what is told, after each order and answer.

use std::time::Duration;

use bytes::Bytes;
use headwater_client::{ClientConfig, ClientError, StartAt, Watermarks};
use headwater_record::{Offset, Timestamp, TopicPartition};

use super::super::messages::{Answer, Ask, Claim, Entry, From, Heard};
use super::super::settings::Settings;
use super::Plan;
use crate::metadata::{Leader, Metadata};

const LONGEST: Duration = Duration::from_millis(500);
const MARKS: Watermarks = Watermarks { low: Offset::ZERO, high: Offset::new(10) };

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn plan() -> Plan {
    Plan::new(Settings::of(&ClientConfig::new().with("bootstrap.servers", "a:1")).expect("settings"))
}

fn partition(number: i32) -> TopicPartition {
    TopicPartition::new("t", number)
}

fn offset(offset: i64) -> StartAt {
    StartAt::Offset(Offset::new(offset))
}

fn from(offset: i64) -> From {
    From { offset: Offset::new(offset), epoch: -1 }
}

/// Partitions of topic `t` by the brokers that lead them.
fn metadata(leaders: &[Option<&str>]) -> Metadata {
    let leader = |address: &&str| Leader { address: (*address).to_owned(), epoch: 7 };
    let leaders: Vec<_> = leaders.iter().map(|address| address.as_ref().map(leader)).collect();
    let brokers = [(1, "a:1".to_owned()), (2, "b:2".to_owned())].into();
    Metadata { topics: [("t".into(), leaders)].into(), brokers, ..Metadata::default() }
}

fn nowhere() -> Metadata {
    Metadata { topics: [].into(), ..metadata(&[]) }
}

fn entry(claim: u64, offset: i64) -> Entry {
    Entry { claim: Claim(claim), partition: partition(claim as i32), from: from(offset), leader_epoch: 7 }
}

fn look(topics: &[&str]) -> Ask {
    Ask::Metadata { topics: topics.iter().map(|topic| (*topic).into()).collect(), elsewhere: false }
}

fn look_elsewhere() -> Ask {
    Ask::Metadata { topics: vec!["t".into()], elsewhere: true }
}

fn answer(claim: u64, code: i16, bytes: &'static [u8]) -> Answer {
    Answer {
        claim: Claim(claim),
        code,
        watermarks: MARKS,
        aborted: Vec::new(),
        bytes: Bytes::from_static(bytes),
        diverges_at: None,
        replica: None,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as the plan is given it")]
fn answers(answers: Vec<Answer>) -> Result<(Duration, Vec<Answer>), ClientError> {
    Ok((Duration::ZERO, answers))
}

fn down() -> ClientError {
    ClientError::Unavailable { servers: "a:1".to_owned(), reason: "refused".to_owned() }
}

/// A plan whose claims 0, 1, ... are partitions of the same number from offset 5 on, at these brokers; nothing was fetched yet.
fn reading(leaders: &[&str]) -> Plan {
    let mut plan = plan();
    for number in 0..leaders.len() {
        plan.claim(Claim(number as u64), partition(number as i32), offset(5));
    }
    assert_eq!(plan.ask(at(0)), [look(&["t"])]);
    assert_eq!(plan.ask(at(0)), [], "one question at a time");
    let leaders: Vec<Option<&str>> = leaders.iter().copied().map(Some).collect();
    plan.metadata_came(at(0), &["t".into()], Ok(metadata(&leaders)));
    plan
}

/// One line for each.
fn heard(plan: &mut Plan) -> Vec<String> {
    let line = |heard| match heard {
        Heard::Began(claim, offset) => format!("{} begins at {offset}", claim.0),
        Heard::Records(claim, records) => format!("{} from {}: {:?}", claim.0, records.from.offset, records.bytes),
        Heard::Watermarks(claim, marks) => format!("{} to {}", claim.0, marks.high),
        Heard::Failed(claim, error) => format!("{}: {error}", claim.0),
        Heard::Silence(error) => format!("{error}"),
        Heard::Wakeup => "wake up".to_owned(),
    };
    plan.heard().map(line).collect()
}

fn a() -> String {
    "a:1".to_owned()
}

#[test]
fn each_broker_is_asked_once_for_all_it_leads() {
    let mut plan = reading(&["a:1", "b:2", "a:1"]);
    let asked = plan.ask(at(0));
    let expected = [
        Ask::Fetch(a(), LONGEST, vec![entry(0, 5), entry(2, 5)]),
        Ask::Fetch("b:2".to_owned(), LONGEST, vec![entry(1, 5)]),
    ];
    assert_eq!(asked, expected);
    assert_eq!(plan.ask(at(0)), []);
    plan.records_came(at(1), "a:1", &[entry(0, 5), entry(2, 5)], answers(vec![answer(0, 0, b"x"), answer(2, 0, b"")]));
    assert_eq!(heard(&mut plan), ["0 from 5: b\"x\"", "2 to 10"]);
}

#[test]
fn records_are_fetched_when_those_before_were_handed_out_and_others_do_not_wait_for_it() {
    let mut plan = reading(&["a:1", "a:1"]);
    plan.ask(at(0));
    let both = [entry(0, 5), entry(1, 5)];
    plan.records_came(at(1), "a:1", &both, answers(vec![answer(0, 0, b"x"), answer(1, 0, b"")]));
    // The first may be wanted any moment: the broker is not to wait long for the second, but longer each time.
    assert_eq!((plan.ask(at(1)), plan.wake_at(at(1))), (vec![], at(3)), "it mostly is, at once");
    for (now, wait) in [(3, 5), (4, 10), (5, 20)] {
        assert_eq!(plan.ask(at(now)), [Ask::Fetch(a(), Duration::from_millis(wait), vec![entry(1, 5)])]);
        plan.records_came(at(now), "a:1", &[entry(1, 5)], answers(vec![answer(1, 0, b"")]));
    }
    plan.fetch(Claim(0), from(6));
    assert_eq!(plan.ask(at(5)), [Ask::Fetch(a(), LONGEST, vec![entry(0, 6), entry(1, 5)])]);
}

#[test]
fn nothing_is_heard_of_a_claim_that_was_given_up() {
    let mut plan = reading(&["a:1"]);
    plan.ask(at(0));
    plan.give_up(Claim(0));
    plan.claim(Claim(1), partition(1), offset(9));
    plan.records_came(at(1), "a:1", &[entry(0, 5)], answers(vec![answer(0, 0, b"x")]));
    plan.fetch(Claim(0), from(6));
    assert_eq!(heard(&mut plan), [""; 0]);
    assert_eq!(plan.ask(at(1)), [look(&["t"])]);
}

#[test]
fn a_beginning_or_an_end_is_asked_for_first() {
    let mut plan = plan();
    plan.claim(Claim(0), partition(0), StartAt::Beginning);
    plan.claim(Claim(1), partition(1), StartAt::End);
    plan.claim(Claim(2), partition(2), StartAt::Beginning);
    plan.ask(at(0));
    plan.metadata_came(at(0), &["t".into()], Ok(metadata(&[Some("a:1"), Some("b:2"), Some("b:2")])));
    let begins = vec![(Claim(0), partition(0)), (Claim(2), partition(2))];
    let ends = vec![(Claim(1), partition(1))];
    let asked = plan.ask(at(0));
    assert_eq!(asked, [Ask::Starts(StartAt::Beginning, begins.clone()), Ask::Starts(StartAt::End, ends.clone())]);
    plan.starts_came(at(1), &begins, Ok(vec![Offset::new(3), Offset::ZERO]));
    assert_eq!(heard(&mut plan), ["0 begins at 3", "2 begins at 0"]);
    // A leader that moved: who leads is asked again, after a while.
    plan.starts_came(at(1), &ends, Err(ClientError::Broker { code: 6, message: String::new(), retriable: true }));
    let fetches = plan.ask(at(1));
    assert_eq!(fetches.len(), 2, "{fetches:?}");
    assert_eq!(plan.wake_at(at(1)), at(101));
    assert_eq!(plan.ask(at(101)), [look(&["t"])]);
    plan.metadata_came(at(102), &["t".into()], Ok(metadata(&[Some("a:1"), Some("a:1"), Some("b:2")])));
    assert_eq!(plan.ask(at(102)), [Ask::Starts(StartAt::End, ends.clone())]);
    plan.starts_came(at(103), &ends, Err(ClientError::NotAuthorised("t".to_owned())));
    assert!(heard(&mut plan)[0].starts_with("1: not authorised: t"));
}

#[test]
fn a_position_that_is_gone_is_told_and_the_others_go_on() {
    let mut plan = reading(&["a:1", "a:1"]);
    plan.ask(at(0));
    let both = [entry(0, 5), entry(1, 5)];
    plan.records_came(at(1), "a:1", &both, answers(vec![answer(0, 1, b""), answer(1, 0, b"y")]));
    assert_eq!(heard(&mut plan), ["0: offset 5 of t-0 is not in the log (any more)", "1 from 5: b\"y\""]);
    plan.fetch(Claim(1), from(6));
    let asked = plan.ask(at(1));
    assert!(matches!(&asked[..], [Ask::Fetch(_, _, entries)] if *entries == [entry(1, 6)]), "{asked:?}");
}

#[test]
fn a_log_with_another_past_is_told_as_a_position_that_is_gone() {
    let mut plan = reading(&["a:1"]);
    plan.ask(at(0));
    let diverges = Answer { diverges_at: Some(Offset::new(4)), ..answer(0, 0, b"") };
    plan.records_came(at(1), "a:1", &[entry(0, 5)], answers(vec![diverges]));
    assert_eq!(heard(&mut plan), ["0: offset 5 of t-0 is not in the log (any more)"]);
}

#[test]
fn a_log_that_has_all_that_was_read_is_read_on_whatever_it_says_of_its_past() {
    let mut plan = reading(&["a:1"]);
    plan.ask(at(0));
    plan.records_came(at(1), "a:1", &[entry(0, 5)], answers(vec![answer(0, 0, b"x")]));
    plan.fetch(Claim(0), From { epoch: 3, ..from(9) });
    plan.ask(at(1));
    let known = Answer { diverges_at: Some(Offset::new(9)), ..answer(0, 0, b"") };
    plan.records_came(
        at(2),
        "a:1",
        &[Entry { from: From { epoch: 3, ..from(9) }, ..entry(0, 9) }],
        answers(vec![known]),
    );
    assert_eq!(plan.ask(at(2)), [Ask::Fetch(a(), LONGEST, vec![entry(0, 9)])]);
    assert_eq!(heard(&mut plan), ["0 from 5: b\"x\""]);
}

#[test]
fn whoever_leads_no_longer_is_not_asked_again() {
    for code in [3, 5, 6, 9, 56, 74, 75, 78] {
        let mut plan = reading(&["a:1"]);
        plan.ask(at(0));
        plan.records_came(at(1), "a:1", &[entry(0, 5)], answers(vec![answer(0, code, b"")]));
        assert_eq!(plan.ask(at(1)), [], "not at once");
        assert_eq!(plan.ask(at(101)), [look(&["t"])], "{code}");
        plan.metadata_came(at(102), &["t".into()], Ok(metadata(&[None])));
        assert_eq!(plan.wake_at(at(102)), at(302), "longer each time");
        assert_eq!(plan.ask(at(302)), [look_elsewhere()]);
        plan.metadata_came(at(303), &["t".into()], Ok(metadata(&[Some("b:2")])));
        assert_eq!(plan.ask(at(303)), [Ask::Fetch("b:2".to_owned(), LONGEST, vec![entry(0, 5)])]);
        assert_eq!(heard(&mut plan), [""; 0]);
    }
}

#[test]
fn a_broker_that_does_not_answer_is_asked_less_and_less_often() {
    let mut plan = reading(&["a:1"]);
    let mut now = 0;
    for (number, pause) in [100, 200, 400, 800, 1_000, 1_000].into_iter().enumerate() {
        assert_eq!(plan.ask(at(now)), [Ask::Fetch(a(), LONGEST, vec![entry(0, 5)])]);
        plan.records_came(at(now), "a:1", &[entry(0, 5)], Err(down()));
        // It may lead no longer.
        assert_eq!(plan.ask(at(now)), [if number == 0 { look(&["t"]) } else { look_elsewhere() }]);
        plan.metadata_came(at(now), &["t".into()], Ok(metadata(&[Some("a:1")])));
        assert_eq!(plan.ask(at(now)), []);
        assert_eq!(plan.wake_at(at(now)), at(now + pause));
        now += pause;
    }
    assert_eq!(heard(&mut plan), [""; 0], "others answer");
    plan.ask(at(now));
    plan.records_came(at(now), "a:1", &[entry(0, 5)], answers(vec![answer(0, 0, b"x")]));
    assert_eq!(heard(&mut plan), ["0 from 5: b\"x\""]);
}

#[test]
fn an_answer_says_nothing_of_topics_that_were_not_asked_for() {
    let mut plan = reading(&["a:1"]);
    plan.ask(at(300_000));
    plan.claim(Claim(1), TopicPartition::new("u", 0), offset(5));
    plan.metadata_came(at(300_001), &["t".into()], Ok(metadata(&[Some("a:1")])));
    assert_eq!(plan.ask(at(300_001)), [look(&["t", "u"])]);
}

#[test]
fn silence_of_one_is_not_that_of_all() {
    let mut plan = plan();
    plan.claim(Claim(0), partition(0), offset(5));
    let one = ClientError::Unavailable { servers: "b:2".to_owned(), reason: "the connection was closed".to_owned() };
    for error in [one, ClientError::TimedOut { request: "Metadata".to_owned() }] {
        plan.ask(at(0));
        plan.metadata_came(at(0), &["t".into()], Err(error));
        assert_eq!(heard(&mut plan), [""; 0]);
    }
}

#[test]
fn silence_of_all_is_told_each_time() {
    let mut plan = plan();
    plan.claim(Claim(0), partition(0), offset(5));
    let mut now = 0;
    for pause in [100, 200, 400] {
        assert_eq!(plan.ask(at(now)), [look(&["t"])]);
        plan.metadata_came(at(now), &["t".into()], Err(down()));
        assert_eq!(heard(&mut plan).len(), 1);
        assert_eq!(plan.ask(at(now)), []);
        assert_eq!(plan.wake_at(at(now)), at(now + pause));
        now += pause;
    }
}

#[test]
fn a_topic_that_never_was_may_appear_and_one_that_has_gone_is_told_of_now_and_then() {
    let mut plan = plan();
    plan.claim(Claim(0), partition(0), offset(5));
    let mut told = Vec::new();
    let mut answered = |plan: &mut Plan, now: i64, found: Metadata| {
        plan.metadata_came(at(now), &["t".into()], Ok(found));
        told.extend(heard(plan).into_iter().map(|_| now));
    };
    for (number, now) in [0, 9_000, 10_000, 15_000, 20_000].into_iter().enumerate() {
        assert_eq!(plan.ask(at(now)), [if number < 2 { look(&["t"]) } else { look_elsewhere() }]);
        answered(&mut plan, now, nowhere());
    }
    plan.ask(at(25_000));
    answered(&mut plan, 25_000, metadata(&[Some("a:1")]));
    assert_eq!(plan.ask(at(25_000)), [Ask::Fetch(a(), LONGEST, vec![entry(0, 5)])]);
    plan.records_came(at(25_001), "a:1", &[entry(0, 5)], answers(vec![answer(0, 3, b"")]));
    plan.ask(at(26_000));
    answered(&mut plan, 26_000, nowhere());
    assert_eq!(told, [10_000, 20_000, 26_000]);
}

#[test]
fn a_replica_that_is_near_is_asked_until_it_fails_or_a_while_has_passed() {
    let mut plan = reading(&["a:1"]);
    plan.ask(at(0));
    let near = |claim| Answer { replica: Some(2), ..answer(claim, 0, b"") };
    plan.records_came(at(1), "a:1", &[entry(0, 5)], answers(vec![near(0)]));
    assert_eq!(plan.ask(at(1)), [Ask::Fetch("b:2".to_owned(), LONGEST, vec![entry(0, 5)])]);
    // It lags behind: the leader knows.
    plan.records_came(at(2), "b:2", &[entry(0, 5)], answers(vec![answer(0, 1, b"")]));
    assert_eq!(plan.ask(at(2)), [Ask::Fetch(a(), LONGEST, vec![entry(0, 5)])]);
    plan.records_came(at(3), "a:1", &[entry(0, 5)], answers(vec![near(0)]));
    plan.ask(at(3));
    plan.records_came(at(4), "b:2", &[entry(0, 5)], answers(vec![answer(0, 0, b"")]));
    let late = plan.ask(at(300_003));
    assert!(late.contains(&Ask::Fetch(a(), LONGEST, vec![entry(0, 5)])), "{late:?}");
}

#[test]
fn a_partition_that_is_left_out_or_a_broker_that_wants_rest_is_asked_later() {
    let mut plan = reading(&["a:1"]);
    plan.ask(at(0));
    plan.records_came(at(1), "a:1", &[entry(0, 5)], answers(vec![]));
    assert_eq!((plan.ask(at(1)).len(), plan.wake_at(at(1))), (0, at(101)));
    assert_eq!(plan.ask(at(101)).len(), 1);
    let rest = Ok((Duration::from_secs(2), vec![answer(0, 0, b"")]));
    plan.records_came(at(102), "a:1", &[entry(0, 5)], rest);
    assert_eq!((plan.ask(at(102)).len(), plan.wake_at(at(102))), (0, at(2_102)));
    assert_eq!(plan.ask(at(2_102)).len(), 1);
}

#[test]
fn a_replica_that_is_not_known_is_asked_for() {
    let mut plan = reading(&["a:1"]);
    plan.ask(at(0));
    let unknown = Answer { replica: Some(9), ..answer(0, 0, b"") };
    plan.records_came(at(1), "a:1", &[entry(0, 5)], answers(vec![unknown]));
    assert_eq!((plan.ask(at(1)), plan.wake_at(at(1))), (vec![], at(101)));
    assert_eq!(plan.ask(at(101)), [look(&["t"])]);
}

#[test]
fn a_partition_that_failed_keeps_no_broker_from_waiting() {
    let mut plan = reading(&["a:1", "a:1"]);
    plan.ask(at(0));
    let both = [entry(0, 5), entry(1, 5)];
    plan.records_came(at(1), "a:1", &both, answers(vec![answer(0, 1, b""), answer(1, 0, b"")]));
    assert_eq!(plan.ask(at(1)), [Ask::Fetch(a(), LONGEST, vec![entry(1, 5)])]);
}

#[test]
fn what_is_known_gets_old() {
    let mut plan = reading(&["a:1"]);
    plan.ask(at(0));
    assert_eq!(plan.wake_at(at(0)), at(300_000));
    assert_eq!(plan.ask(at(300_000)), [look(&["t"])]);
}

#[test]
fn trouble_without_a_name_may_pass() {
    let mut plan = reading(&["a:1"]);
    plan.ask(at(0));
    plan.records_came(at(1), "a:1", &[entry(0, 5)], answers(vec![answer(0, -1, b"")]));
    assert_eq!(plan.ask(at(101)), [Ask::Fetch(a(), LONGEST, vec![entry(0, 5)])]);
    assert_eq!(heard(&mut plan), [""; 0]);
}

#[test]
fn a_request_that_cannot_be_answered_is_told_for_each_of_its_partitions() {
    let mut plan = reading(&["a:1", "a:1"]);
    plan.ask(at(0));
    let error = ClientError::Broker { code: 35, message: "it is too old".to_owned(), retriable: false };
    plan.records_came(at(1), "a:1", &[entry(0, 5), entry(1, 5)], Err(error));
    assert_eq!(heard(&mut plan), ["0: it is too old (Kafka error 35)", "1: it is too old (Kafka error 35)"]);
    assert_eq!(plan.ask(at(100_000)), []);
}

#[test]
fn what_cannot_pass_is_told() {
    for (code, text) in [(29, "not authorised"), (2, "malformed bytes from t-0")] {
        let mut plan = reading(&["a:1"]);
        plan.ask(at(0));
        plan.records_came(at(1), "a:1", &[entry(0, 5)], answers(vec![answer(0, code, b"")]));
        let told = heard(&mut plan);
        assert!(told[0].contains(text), "{told:?}");
        assert_eq!(plan.ask(at(100_000)), []);
    }
}

#[test]
fn a_position_is_not_one_in_another_topic_of_the_name() {
    let with_id = |id| Metadata { ids: [("t".into(), id)].into(), ..metadata(&[Some("a:1"), Some("a:1")]) };
    let mut plan = plan();
    plan.claim(Claim(0), partition(0), offset(5));
    plan.claim(Claim(1), partition(1), offset(5));
    plan.ask(at(0));
    plan.metadata_came(at(0), &["t".into()], Ok(with_id(1)));
    plan.metadata_came(at(1), &["t".into()], Ok(with_id(1)));
    assert!(heard(&mut plan).is_empty(), "it is the same");
    // What came last of the second waits to be handed out.
    plan.ask(at(2));
    plan.records_came(
        at(2),
        "a:1",
        &[entry(0, 5), entry(1, 5)],
        answers(vec![answer(0, 3, b""), answer(1, 0, b"some")]),
    );
    heard(&mut plan);
    plan.metadata_came(at(3), &["t".into()], Ok(with_id(2)));
    assert_eq!(heard(&mut plan), ["0: offset 5 of t-0 is not in the log (any more)"]);
    plan.fetch(Claim(1), from(9));
    assert_eq!(heard(&mut plan), ["1: offset 9 of t-1 is not in the log (any more)"]);
    plan.claim(Claim(0), partition(0), offset(0));
    plan.metadata_came(at(4), &["t".into()], Ok(with_id(2)));
    assert!(heard(&mut plan).is_empty(), "whoever begins anew reads the one that is there");
}
