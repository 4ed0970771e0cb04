//! Settings that Kafka's clients share. Those of one kind of client go there unchanged: `consumer.fetch.min.bytes`.

use super::{I32, Kind, MILLIS, Setting, setting};

pub(super) const SETTINGS: &[Setting] = &[
    setting("bootstrap.servers", Kind::Name, None, "Brokers to ask first: host:port, separated by commas.")
        .effective("headwater/tests/settings::settings_of_clients_that_cannot_be_are_refused_before_anything_starts")
        .for_clients(),
    setting(
        "client.id",
        Kind::Text,
        Some(""),
        "Begins the names of this instance's clients; application.id and an id of the process unless set.",
    )
    .effective("application/settings::clients_bear_the_name_that_they_are_given"),
    setting(
        "security.protocol",
        Kind::Word(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]),
        Some("PLAINTEXT"),
        "How brokers are spoken to.",
    )
    .only_default("connections are PLAINTEXT only")
    .for_clients(),
    setting(
        "connections.max.idle.ms",
        Kind::Number(-1, i64::MAX),
        Some("540000"),
        "After how long an idle connection is closed, milliseconds.",
    )
    .no_effect("connections are kept open"),
    setting("metadata.max.age.ms", MILLIS, Some("300000"), "How long what was heard of topics counts, milliseconds.")
        .effective("application/settings::topics_are_looked_for_at_their_age")
        .for_clients(),
    setting("receive.buffer.bytes", Kind::Number(-1, I32), Some("32768"), "Size of a socket's receive buffer.")
        .no_effect("the system sizes the buffers of sockets"),
    setting("send.buffer.bytes", Kind::Number(-1, I32), Some("131072"), "Size of a socket's send buffer.")
        .no_effect("the system sizes the buffers of sockets"),
    setting("reconnect.backoff.ms", MILLIS, Some("50"), "Pause before a connection is made again, milliseconds.")
        .no_effect("connections are made again as requests are sent again: see retry.backoff.ms"),
    setting("reconnect.backoff.max.ms", MILLIS, Some("1000"), "The longest such pause, milliseconds.")
        .no_effect("connections are made again as requests are sent again: see retry.backoff.ms"),
    setting("retry.backoff.ms", MILLIS, Some("100"), "Pause before a failed request is sent again, milliseconds.")
        .effective("application/settings::what_failed_is_asked_again_after_the_pause")
        .for_clients(),
    setting(
        "request.timeout.ms",
        Kind::Number(0, I32),
        Some("40000"),
        "How long the answer to a request may take, milliseconds.",
    )
    .effective("application/settings::answers_about_topics_are_waited_for_as_long_as_requests_may_take")
    .for_clients(),
    setting("config.providers", Kind::Text, Some(""), "Names of classes that look values up elsewhere.")
        .only_default("classes cannot be loaded; give the values themselves"),
    setting(
        "metadata.recovery.strategy",
        Kind::Word(&["rebootstrap", "none"]),
        Some("rebootstrap"),
        "What a client does when none of the brokers that it knows answers.",
    )
    .only_default("when no broker that was heard of answers, those of bootstrap.servers are asked"),
    setting(
        "metadata.recovery.rebootstrap.trigger.ms",
        MILLIS,
        Some("300000"),
        "After how long without metadata the brokers of bootstrap.servers are asked, milliseconds.",
    )
    .no_effect("brokers of bootstrap.servers are asked as soon as those that were heard of do not answer"),
    setting(
        "metadata.cluster.check.enable",
        Kind::Flag,
        Some("true"),
        "Whether brokers are told which cluster is meant, to find connections that went astray.",
    )
    .no_effect("brokers are not told"),
];
