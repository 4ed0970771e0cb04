//! The options of a statement, as the library's.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use headwater::dsl::{Consumed, Grouped, Joined, Materialized, Produced, Repartitioned, StreamJoined};
use headwater::processor::node::OffsetReset;

use super::function;
use super::key::Key;
use super::serde::Format;
use super::store::{self, Supplied};
use crate::scenario::{Logging, Scenario, Spec};
use crate::val::Val;

/// The serdes that a handle has, as Java's handles have them.
#[derive(Clone, Default)]
pub(super) struct Known {
    pub(super) key: Option<Format>,
    pub(super) value: Option<Format>,
}

impl Known {
    /// With the key's serde only.
    pub(super) fn key_only(&self) -> Known {
        Known { key: self.key.clone(), value: None }
    }

    /// With the value's serde only.
    pub(super) fn value_only(&self) -> Known {
        Known { key: None, value: self.value.clone() }
    }

    /// Of keys that are in a window here, without it.
    pub(super) fn in_window(&self) -> Known {
        Known { key: self.key.as_ref().map(Format::in_window), value: self.value.clone() }
    }

    /// These, and where there is none, those of `other`.
    pub(super) fn or(self, other: &Known) -> Known {
        Known { key: self.key.or_else(|| other.key.clone()), value: self.value.or_else(|| other.value.clone()) }
    }

    /// The serdes that an option object names.
    pub(super) fn named(option: Option<Spec<'_>>) -> Result<Known> {
        let serde = |field: &str| option.and_then(|option| option.text(field)).map(Format::parse).transpose();
        Ok(Known { key: serde("key")?, value: serde("value")? })
    }
}

/// The configured serdes, for what nobody names and nothing is inherited for.
pub(super) struct Options {
    key: Format,
    value: Format,
}

/// Writes the serdes that an option names into it, and the configured ones for what nobody names and nothing is inherited for.
macro_rules! with_serdes {
    ($option:expr, $options:expr, $named:expr) => {{
        let mut option = $option.or_configured(Key::serde(&$options.key), Key::serde(&$options.value));
        let Known { key, value } = $named;
        if let Some(key) = key {
            option = option.with_key_serde(Key::serde(&key));
        }
        if let Some(value) = value {
            option = option.with_value_serde(Key::serde(&value));
        }
        option
    }};
}

impl Options {
    pub(super) fn new(scenario: &Scenario) -> Result<Options> {
        let configured = |setting| match scenario.setting(setting) {
            Some(name) => Format::parse(name),
            None => Ok(Format::Missing),
        };
        Ok(Options { key: configured("default.key.serde")?, value: configured("default.value.serde")? })
    }

    /// The configured serdes.
    pub(super) fn configured(&self) -> Known {
        Known { key: Some(self.key.clone()), value: Some(self.value.clone()) }
    }

    /// The configured serdes, for what would not be inherited.
    pub(super) fn missing(&self, inherited: &Known) -> Known {
        Known {
            key: inherited.key.is_none().then(|| self.key.clone()),
            value: inherited.value.is_none().then(|| self.value.clone()),
        }
    }

    pub(super) fn consumed(&self, statement: Spec<'_>) -> Result<Consumed<Val, Val>> {
        let option = statement.object("consumed");
        let mut consumed = with_serdes!(Consumed::inherited(), self, Known::named(option)?);
        if let Some(name) = option.and_then(|option| option.text("name")) {
            consumed = consumed.with_name(name);
        }
        if let Some(extractor) = option.and_then(|option| option.text("timestamp_extractor")) {
            consumed = consumed.with_timestamp_extractor(function::extractor(extractor)?);
        }
        if let Some(reset) = option.and_then(|option| option.text("offset_reset")) {
            consumed = consumed.with_offset_reset(match reset {
                "earliest" => OffsetReset::Earliest,
                "latest" => OffsetReset::Latest,
                "none" => OffsetReset::None,
                _ => bail!("no offset reset `{reset}`"),
            });
        }
        Ok(consumed)
    }

    pub(super) fn produced<K: Key>(&self, statement: Spec<'_>) -> Result<Produced<K, Val>> {
        let option = statement.object("produced");
        let mut produced = with_serdes!(Produced::inherited(), self, Known::named(option)?);
        if let Some(partitioner) = function::partitioner(option)? {
            produced = produced.with_partitioner(partitioner);
        }
        Ok(match option.and_then(|option| option.text("name")) {
            Some(name) => produced.with_name(name),
            None => produced,
        })
    }

    pub(super) fn grouped<K: Key>(&self, statement: Spec<'_>) -> Result<Grouped<K, Val>> {
        let option = statement.object("grouped");
        let grouped = with_serdes!(Grouped::inherited(), self, Known::named(option)?);
        Ok(match option.and_then(|option| option.text("name")) {
            Some(name) => grouped.with_name(name),
            None => grouped,
        })
    }

    pub(super) fn joined<K: Key>(&self, option: Option<Spec<'_>>) -> Result<Joined<K, Val>> {
        let mut joined = with_serdes!(Joined::inherited(), self, Known::named(option)?);
        if let Some(option) = option.filter(|option| option.has("grace_ms")) {
            joined = joined.with_grace_period(store::duration(option, "grace_ms")?);
        }
        Ok(match option.and_then(|option| option.text("name")) {
            Some(name) => joined.with_name(name),
            None => joined,
        })
    }

    /// The options of a join of streams, and the serdes of the rows of both sides.
    pub(super) fn stream_joined<K: Key>(
        &self,
        option: Option<Spec<'_>>,
    ) -> Result<(StreamJoined<K, Val, Val>, [Known; 2])> {
        let named = Known::named(option)?;
        let this = named.clone().or(&self.configured());
        let other_value = option.and_then(|option| option.text("other_value")).map(Format::parse).transpose()?;
        let value = || Val::serde(&self.value);
        let mut joined = StreamJoined::inherited().or_configured(Key::serde(&self.key), value(), value());
        if let Some(key) = &named.key {
            joined = joined.with_key_serde(Key::serde(key));
        }
        if let Some(value) = &named.value {
            joined = joined.with_value_serde(Key::serde(value));
        }
        if let Some(value) = &other_value {
            joined = joined.with_other_value_serde(Key::serde(value));
        }
        let other = Known { key: this.key.clone(), value: Some(other_value.unwrap_or_else(|| self.value.clone())) };
        let Some(option) = option else { return Ok((joined, [this, other])) };
        if let Some(name) = option.text("name") {
            joined = joined.with_name(name);
        }
        if let Some(name) = option.text("store_name") {
            joined = joined.with_store_name(name);
        }
        if let Some(store) = option.object("this_store") {
            joined = joined.with_this_store(store::spec(store)?);
        }
        if let Some(store) = option.object("other_store") {
            joined = joined.with_other_store(store::spec(store)?);
        }
        joined = match option.text("store_type") {
            Some("in_memory") => joined.in_memory(),
            Some("rocks_db") => joined.in_rocksdb(),
            Some(other) => bail!("no store type `{other}`"),
            None => joined,
        };
        joined = match option.logging() {
            Logging::NotGiven => joined,
            Logging::Disabled => joined.with_logging_disabled(),
            Logging::Enabled(settings) => {
                let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
                joined.with_logging_enabled(settings.collect())
            }
        };
        Ok((joined, [this, other]))
    }

    pub(super) fn repartitioned<K: Key>(&self, statement: Spec<'_>) -> Result<Repartitioned<K, Val>> {
        let option = statement.object("repartitioned");
        let mut repartitioned = with_serdes!(Repartitioned::inherited(), self, Known::named(option)?);
        if let Some(name) = option.and_then(|option| option.text("name")) {
            repartitioned = repartitioned.with_name(name);
        }
        if let Some(partitions) = option.and_then(|option| option.number("partitions")) {
            repartitioned = repartitioned.with_partitions(i32::try_from(partitions).context("partitions")?);
        }
        if let Some(partitioner) = function::partitioner(option)? {
            repartitioned = repartitioned.with_partitioner(partitioner);
        }
        Ok(repartitioned)
    }

    /// The serdes of an aggregation's result, and its options. `grouped` is what the grouping has.
    pub(super) fn aggregation<K: Key>(
        &self,
        statement: Spec<'_>,
        grouped: &Known,
    ) -> Result<(Known, Materialized<K, Val>)> {
        let inherited = match statement.op() {
            "count" => Known { key: grouped.key.clone(), value: Some(Format::Long) },
            "reduce" => grouped.clone(),
            "aggregate" => grouped.key_only(),
            other => bail!("groups have no operator `{other}`"),
        };
        let own = Known::named(statement.object("materialized"))?.or(&inherited);
        let options = self.materialized(statement)?;
        // Counts of a type of one's own have no serde by themselves.
        let options = match (statement.op(), &own.value) {
            ("count", Some(value)) => options.with_value_serde(Key::serde(value)),
            _ => options,
        };
        Ok((own, options))
    }

    pub(super) fn materialized<K: Key>(&self, statement: Spec<'_>) -> Result<Materialized<K, Val>> {
        let option = statement.object("materialized");
        let mut materialized = with_serdes!(Materialized::inherited(), self, Known::named(option)?);
        let Some(option) = option else { return Ok(materialized) };
        if let Some(store) = option.text("store") {
            materialized = materialized.with_name(store);
        }
        if let Some(supplier) = option.object("supplier") {
            materialized = materialized.with_row_format(store::supplied_format(supplier)?);
            materialized = match supplier.need("kind")? {
                "kv" | "timestamped_kv" if supplier.is("persistent") => {
                    materialized.with_name(supplier.need("name")?).in_rocksdb()
                }
                "kv" | "timestamped_kv" => materialized.with_name(supplier.need("name")?).in_memory(),
                "versioned" => {
                    let (history, segments) = store::history(supplier)?;
                    materialized.in_versioned_store(supplier.need("name")?, history, segments)
                }
                _ => materialized.with_name(supplier.need("name")?).in_store_of(Arc::new(Supplied::of(supplier)?)),
            };
        }
        if option.has("retention_ms") {
            materialized = materialized.with_retention(store::duration(option, "retention_ms")?);
        }
        match option.text("store_type") {
            Some("in_memory") => materialized = materialized.in_memory(),
            Some("rocks_db") => materialized = materialized.in_rocksdb(),
            Some(other) => bail!("no store type `{other}`"),
            None => {}
        }
        match option.flag("caching") {
            Some(true) => materialized = materialized.with_caching_enabled(),
            Some(false) => materialized = materialized.with_caching_disabled(),
            None => {}
        }
        Ok(match option.logging() {
            Logging::NotGiven => materialized,
            Logging::Disabled => materialized.with_logging_disabled(),
            Logging::Enabled(settings) => {
                let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
                materialized.with_logging_enabled(settings.collect::<BTreeMap<_, _>>())
            }
        })
    }
}
