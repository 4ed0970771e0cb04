//! The serdes that a handle has inherited (`docs/decisions/0007`).

use std::sync::Arc;

use headwater_record::serde::OptionSerde;
use headwater_record::{DefaultSerde, Nullable, SharedSerde};

use crate::row::Row;

/// What is known of how keys and values are written.
pub(crate) struct Serdes<K, V> {
    pub(crate) key: Option<SharedSerde<K>>,
    pub(crate) value: Option<SharedSerde<V>>,
    /// Those of the types, for what is neither given nor inherited.
    own: Own<K, V>,
    /// Which value is null, where the type says so and no serde has to be asked.
    null_value: Option<fn(&V) -> bool>,
}

/// How a type's own serdes are had, where the type is known to have them.
type Own<K, V> = Option<(fn() -> SharedSerde<K>, fn() -> SharedSerde<V>)>;

impl<K, V> Clone for Serdes<K, V> {
    fn clone(&self) -> Self {
        let (own, null_value) = (self.own, self.null_value);
        Serdes { key: self.key.clone(), value: self.value.clone(), own, null_value }
    }
}

impl<K, V> Serdes<K, V> {
    pub(crate) fn of(key: Option<SharedSerde<K>>, value: Option<SharedSerde<V>>) -> Self {
        Serdes { key, value, own: None, null_value: None }
    }

    pub(crate) fn none() -> Self {
        Self::of(None, None)
    }

    /// None yet: those that are inherited, and where there is none, the types' own.
    pub(crate) fn inherited_or_own() -> Self
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        Serdes { own: Some((K::default_serde, V::default_serde)), ..Self::none() }
    }

    /// These, with this serde for keys where there is one.
    pub(crate) fn with_key(self, key: Option<SharedSerde<K>>) -> Self {
        Serdes { key: key.or(self.key), ..self }
    }

    /// These, of values whose type has a null.
    pub(crate) fn nullable(&self) -> Self
    where
        V: Nullable,
    {
        Serdes { null_value: Some(V::is_null), ..self.clone() }
    }

    /// These, and where there is none, those of `inherited`, or else the types' own where they are known.
    pub(crate) fn or(self, inherited: &Serdes<K, V>) -> Self {
        let own = self.own;
        Serdes {
            key: self.key.or_else(|| inherited.key.clone()).or_else(|| Some(own?.0())),
            value: self.value.or_else(|| inherited.value.clone()).or_else(|| Some(own?.1())),
            own,
            null_value: self.null_value.or(inherited.null_value),
        }
    }

    /// These, and where there is none, the types' own.
    pub(crate) fn or_default(self) -> Self
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        Serdes {
            key: Some(self.key.unwrap_or_else(K::default_serde)),
            value: Some(self.value.unwrap_or_else(V::default_serde)),
            own: self.own,
            null_value: self.null_value,
        }
    }

    /// These, of values that may be missing: `None` is null.
    pub(crate) fn optional(&self) -> Serdes<K, Option<V>>
    where
        V: 'static,
    {
        let optional = |value: SharedSerde<V>| Arc::new(OptionSerde(value)) as SharedSerde<Option<V>>;
        Serdes::of(self.key.clone(), self.value.clone().map(optional))
    }

    /// Whether both are known.
    pub(crate) fn is_whole(&self) -> bool {
        self.key.is_some() && self.value.is_some()
    }

    /// Those of a table's rows, of which these are the stream's.
    pub(crate) fn of_rows<R>(&self) -> Serdes<K, R>
    where
        V: Row<R>,
    {
        let null_value = self.null_value.and_then(V::null_row);
        Serdes { null_value, ..Serdes::of(self.key.clone(), self.value.as_ref().map(V::of_rows)) }
    }

    /// Key and value change type: only what is said to be kept is kept.
    pub(crate) fn key_only<W>(&self) -> Serdes<K, W> {
        Serdes::of(self.key.clone(), None)
    }

    pub(crate) fn value_only<K2>(&self) -> Serdes<K2, V> {
        Serdes { null_value: self.null_value, ..Serdes::of(None, self.value.clone()) }
    }

    /// Only what was given for key and value.
    pub(crate) fn given(&self) -> Self {
        Serdes { null_value: None, ..self.clone() }
    }

    pub(crate) fn key_is_null(&self, key: &K) -> bool {
        self.key.as_ref().is_some_and(|serde| serde.is_null(key))
    }

    pub(crate) fn value_is_null(&self, value: &V) -> bool {
        self.null_value.is_some_and(|is_null| is_null(value))
            || self.value.as_ref().is_some_and(|serde| serde.is_null(value))
    }
}
