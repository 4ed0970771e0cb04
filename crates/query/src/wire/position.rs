//! Positions as text.

use headwater_runtime::query::Position;
use serde::{Deserialize, Deserializer, Serializer, de};

/// As it stands in answers and in questions.
pub(crate) fn text(position: &Position) -> String {
    let component = |(partition, offset)| format!("{partition}:{offset}");
    position.components().map(component).collect::<Vec<_>>().join(",")
}

pub(super) fn serialize<S: Serializer>(position: &Position, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(position))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Position, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}
