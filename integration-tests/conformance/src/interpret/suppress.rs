//! Suppressions.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};
use headwater::dsl::{BufferConfig, KTable, Strict, Suppressed, WhenFull, WindowedKey};
use headwater::record::Timestamp;

use super::key::{Key, Keyed};
use super::option::{Known, Options};
use super::program::{Handle, Program};
use super::table::named;
use crate::scenario::{Logging, Spec};
use crate::val::Val;

impl WindowedKey for Val {
    /// Of a key that is in no window, nobody asks: its table has none that close.
    fn window_end(&self) -> Timestamp {
        match self {
            Val::Windowed { end, .. } => Timestamp::from_millis(*end),
            _ => Timestamp::MAX,
        }
    }
}

impl Program<'_> {
    /// Calls `suppress`.
    pub(super) fn suppress<K: Key>(
        &self,
        statement: Spec<'_>,
        table: &KTable<K, Val>,
        known: &Known,
    ) -> Result<Handle> {
        let made = table.suppress(suppressed(statement, &self.options, known)?);
        Ok(K::handle(Keyed::Table(named(statement, made), known.clone())))
    }
}

fn suppressed<K: Key>(statement: Spec<'_>, options: &Options, known: &Known) -> Result<Suppressed<K, Val>> {
    let option = statement.need_object("suppressed")?;
    let strict = strict(option)?;
    let mut suppressed = match (option.need("until")?, option.text("when_full")) {
        ("window_closes", _) => Suppressed::until_window_closes(strict),
        ("time_limit", Some("emit")) => time_limit(option, strict.emit_early_when_full())?,
        ("time_limit", _) => time_limit(option, strict)?,
        (other, _) => bail!("no suppression until `{other}`"),
    };
    let Known { key, value } = options.missing(known);
    if let Some(key) = key {
        suppressed = suppressed.with_key_serde(K::serde(&key));
    }
    if let Some(value) = value {
        suppressed = suppressed.with_value_serde(Val::serde(&value));
    }
    Ok(match option.text("name") {
        Some(name) => suppressed.with_name(name),
        None => suppressed,
    })
}

fn time_limit<K: Key, P: WhenFull>(option: Spec<'_>, buffer: BufferConfig<P>) -> Result<Suppressed<K, Val>> {
    let limit = Duration::from_millis(u64::try_from(option.need_number("limit_ms")?)?);
    Ok(Suppressed::until_time_limit(limit, buffer))
}

fn strict(option: Spec<'_>) -> Result<BufferConfig<Strict>> {
    let mut buffer = BufferConfig::unbounded();
    if let Some(records) = option.number("max_records") {
        buffer = buffer.with_max_records(u64::try_from(records)?);
    }
    if let Some(bytes) = option.number("max_bytes") {
        buffer = buffer.with_max_bytes(u64::try_from(bytes)?);
    }
    Ok(match option.logging() {
        Logging::NotGiven => buffer,
        Logging::Disabled => buffer.with_logging_disabled(),
        Logging::Enabled(settings) => {
            let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
            buffer.with_logging_enabled(settings.collect::<BTreeMap<_, _>>())
        }
    })
}
