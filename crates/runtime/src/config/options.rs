//! The one table of settings: key, kind of value, default, support, meaning. Cut by theme; parsing and documentation derive from it.

mod application;
mod clients;
mod errors;
mod group;
mod processing;
mod state;

use std::fmt;

/// What a value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Any text but the empty one.
    Name,
    /// Whole numbers from the first to the second, both included.
    Number(i64, i64),
    /// `true` or `false`.
    Flag,
    /// One of these words, in any case.
    Word(&'static [&'static str]),
    /// Some of these words, separated by commas.
    Words(&'static [&'static str]),
    /// `host:port`, or nothing.
    HostPort,
    /// From where to read what nothing was committed for.
    OffsetReset,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Text => f.write_str("a text"),
            Kind::Name => f.write_str("a text that is not empty"),
            Kind::Number(i64::MIN, i64::MAX) => f.write_str("a whole number"),
            Kind::Number(least, i64::MAX | 0x7fff_ffff) => write!(f, "a whole number of at least {least}"),
            Kind::Number(least, most) => write!(f, "a whole number from {least} to {most}"),
            Kind::Flag => f.write_str("true or false"),
            Kind::Word(words) => write!(f, "one of {}", words.join(", ")),
            Kind::Words(words) => write!(f, "a list, separated by commas, of {}", words.join(", ")),
            Kind::HostPort => f.write_str("host:port"),
            Kind::OffsetReset => f.write_str("earliest, latest, none or by_duration:<ISO 8601 duration>"),
        }
    }
}

/// Whether a setting has its effect here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It has, as a test shows in which it has several values: the end of the path of the test's file and its name.
    Effective(&'static str),
    /// It is known and changes nothing; setting it gives a warning with this reason.
    NoEffect(&'static str),
    /// Only the default may be set; anything else is an error with this reason.
    OnlyDefault(&'static str),
}

/// One setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Kafka's key.
    pub key: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// Its value when it is not set; `None`: there is none.
    pub default: Option<&'static str>,
    /// Whether it has its effect here.
    pub support: Support,
    /// Whether Kafka's clients are given it too.
    pub for_clients: bool,
    /// What it means.
    pub doc: &'static str,
}

/// A setting of which it is not said yet whether it has its effect.
struct Described {
    key: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    doc: &'static str,
}

const fn setting(key: &'static str, kind: Kind, default: Option<&'static str>, doc: &'static str) -> Described {
    Described { key, kind, default, doc }
}

impl Described {
    const fn effective(self, test: &'static str) -> Setting {
        self.with(Support::Effective(test))
    }

    const fn no_effect(self, reason: &'static str) -> Setting {
        self.with(Support::NoEffect(reason))
    }

    const fn only_default(self, reason: &'static str) -> Setting {
        self.with(Support::OnlyDefault(reason))
    }

    const fn with(self, support: Support) -> Setting {
        let Described { key, kind, default, doc } = self;
        Setting { key, kind, default, support, for_clients: false, doc }
    }
}

impl Setting {
    const fn for_clients(self) -> Self {
        Setting { for_clients: true, ..self }
    }
}

const I32: i64 = i32::MAX as i64;
/// Milliseconds from zero on.
const MILLIS: Kind = Kind::Number(0, i64::MAX);

/// All settings, by theme.
pub fn all() -> impl Iterator<Item = &'static Setting> {
    [application::SETTINGS, processing::SETTINGS, state::SETTINGS, group::SETTINGS, errors::SETTINGS, clients::SETTINGS]
        .into_iter()
        .flatten()
}

/// The setting of this key.
pub fn find(key: &str) -> Option<&'static Setting> {
    all().find(|setting| setting.key == key)
}
