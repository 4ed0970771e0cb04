//! Page tokens: where the page before ended.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use headwater_record::Partition;
use serde::{Deserialize, Serialize};

use crate::wire::Entry;

/// The last entry of a page. Whoever answers the next question needs nothing else, and need not be the same instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Token {
    /// `None` in a global store.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub(crate) partition: Option<Partition>,
    /// `None`: the partition is still to be begun.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<Last>,
}

/// An entry's place in its partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Last {
    #[serde(rename = "k")]
    pub(crate) key: String,
    /// When its window, session or version begins and ends.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub(crate) start: Option<i64>,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub(crate) end: Option<i64>,
}

impl Last {
    pub(crate) fn of<V>(entry: &Entry<V>) -> Self {
        let end = entry.end.or(entry.valid_to);
        Last { key: entry.key.clone(), start: entry.start.or(entry.timestamp), end }
    }
}

impl Token {
    pub(crate) fn write(&self) -> String {
        // Strings and numbers always have JSON.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// `None`: nobody here wrote that.
    pub(crate) fn read(text: &str) -> Option<Self> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written() {
        let last = Some(Last { key: "a/ü".to_owned(), start: Some(0), end: None });
        for token in [Token { partition: Some(3), last }, Token { partition: None, last: None }] {
            assert_eq!(Token::read(&token.write()), Some(token));
        }
        for text in ["", "e30x", "!", "eyJ4IjoxfQ"] {
            assert_eq!(Token::read(text), None, "{text}");
        }
    }
}
