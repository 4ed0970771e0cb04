//! Settings that Kafka's clients share. Those of one kind of client go there unchanged: `consumer.fetch.min.bytes`.

use super::{I32, Kind, MILLIS, Setting, setting};

pub(super) const SETTINGS: &[Setting] = &[
    setting("bootstrap.servers", Kind::Name, None, "Brokers to ask first: host:port, separated by commas.")
        .for_clients(),
    setting(
        "client.id",
        Kind::Text,
        Some(""),
        "Begins the names of this instance's clients; application.id and an id of the process unless set.",
    ),
    setting(
        "security.protocol",
        Kind::Word(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]),
        Some("PLAINTEXT"),
        "How brokers are spoken to.",
    )
    .for_clients(),
    setting(
        "connections.max.idle.ms",
        Kind::Number(-1, i64::MAX),
        Some("540000"),
        "After how long an idle connection is closed, milliseconds.",
    )
    .for_clients(),
    setting("metadata.max.age.ms", MILLIS, Some("300000"), "How long what was heard of topics counts, milliseconds.")
        .for_clients(),
    setting("receive.buffer.bytes", Kind::Number(-1, I32), Some("32768"), "Size of a socket's receive buffer.")
        .for_clients(),
    setting("send.buffer.bytes", Kind::Number(-1, I32), Some("131072"), "Size of a socket's send buffer.")
        .for_clients(),
    setting("reconnect.backoff.ms", MILLIS, Some("50"), "Pause before a connection is made again, milliseconds.")
        .for_clients(),
    setting("reconnect.backoff.max.ms", MILLIS, Some("1000"), "The longest such pause, milliseconds.").for_clients(),
    setting("retry.backoff.ms", MILLIS, Some("100"), "Pause before a failed request is sent again, milliseconds.")
        .for_clients(),
    setting(
        "request.timeout.ms",
        Kind::Number(0, I32),
        Some("40000"),
        "How long the answer to a request may take, milliseconds.",
    )
    .for_clients(),
];
