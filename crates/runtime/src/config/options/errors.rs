//! Settings of what becomes of records that fail.

use super::{Kind, Setting, setting};

pub(super) const SETTINGS: &[Setting] = &[
    setting(
        "deserialization.exception.handler",
        Kind::Text,
        Some("LogAndFailExceptionHandler"),
        "What becomes of input that is no record: LogAndFail or LogAndContinue (Java's class names are understood); a handler of your own is given to the builder.",
    ).effective("headwater/tests/settings::handlers_decide_whether_a_bad_record_ends_the_application"),
    setting(
        "default.deserialization.exception.handler",
        Kind::Text,
        None,
        "The older name of deserialization.exception.handler, which wins.",
    ).effective("headwater/tests/settings::handlers_decide_whether_a_bad_record_ends_the_application"),
    setting(
        "processing.exception.handler",
        Kind::Text,
        Some("LogAndFailProcessingExceptionHandler"),
        "What becomes of a record that an operator failed on: LogAndFail or LogAndContinue.",
    ).effective("headwater/tests/settings::handlers_decide_whether_a_bad_record_ends_the_application"),
    setting(
        "production.exception.handler",
        Kind::Text,
        Some("DefaultProductionExceptionHandler"),
        "What becomes of a record that could not be written. By name there is only DefaultProductionExceptionHandler, which fails (Java has no other); one of your own is given to the builder.",
    ).effective("config/tests::of_production_there_is_one_handler_by_name"),
    setting(
        "default.production.exception.handler",
        Kind::Text,
        None,
        "The older name of production.exception.handler, which wins.",
    ).effective("config/tests::of_production_there_is_one_handler_by_name"),
    setting(
        "processing.exception.handler.global.enabled",
        Kind::Flag,
        Some("false"),
        "Whether processing.exception.handler decides about processors of global stores too (KIP-1270); else their errors end the global thread.",
    ).effective("headwater/tests/globals/handlers::the_processing_handler_decides_about_global_stores_if_it_is_asked_to"),
    setting(
        "errors.dead.letter.queue.topic.name",
        Kind::Text,
        Some(""),
        "Topic to which the built-in handlers send failed records (KIP-1034); it must exist.",
    ).effective("headwater/tests/settings::records_that_are_left_out_go_to_the_topic_of_dead_letters"),
];
