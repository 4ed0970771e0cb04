//! The serdes that a handle has inherited (`docs/decisions/0007`).

use std::sync::Arc;

use headwater_record::serde::OptionSerde;
use headwater_record::{DefaultSerde, Nullable, SharedSerde};
use headwater_topology::node::Given;

use crate::row::Row;

/// A serde that is known.
pub(crate) struct Known<T> {
    pub(crate) serde: SharedSerde<T>,
    /// Whether somebody chose it. Else it is the type's own, where Java has null and the configured one in the end.
    is_given: bool,
}

impl<T> Known<T> {
    /// The type's own.
    pub(crate) fn own(serde: SharedSerde<T>) -> Self {
        Known { serde, is_given: false }
    }

    /// What `make` makes of it.
    pub(crate) fn map<U>(&self, make: impl FnOnce(&SharedSerde<T>) -> SharedSerde<U>) -> Known<U> {
        Known { serde: make(&self.serde), is_given: self.is_given }
    }
}

/// One that was given.
impl<T> From<SharedSerde<T>> for Known<T> {
    fn from(serde: SharedSerde<T>) -> Self {
        Known { serde, is_given: true }
    }
}

impl<T> Clone for Known<T> {
    fn clone(&self) -> Self {
        Known { serde: Arc::clone(&self.serde), is_given: self.is_given }
    }
}

/// What is known of how keys and values are written.
pub(crate) struct Serdes<K, V> {
    pub(crate) key: Option<Known<K>>,
    pub(crate) value: Option<Known<V>>,
    /// Those of the types, for what is neither given nor inherited.
    own: Option<(SharedSerde<K>, SharedSerde<V>)>,
    /// Which value is null, where the type says so and no serde has to be asked.
    null_value: Option<fn(&V) -> bool>,
}

impl<K, V> Clone for Serdes<K, V> {
    fn clone(&self) -> Self {
        let (own, null_value) = (self.own.clone(), self.null_value);
        Serdes { key: self.key.clone(), value: self.value.clone(), own, null_value }
    }
}

impl<K, V> Serdes<K, V> {
    pub(crate) fn of(key: Option<Known<K>>, value: Option<Known<V>>) -> Self {
        Serdes { key, value, own: None, null_value: None }
    }

    /// These, given.
    pub(crate) fn given(key: SharedSerde<K>, value: SharedSerde<V>) -> Self {
        Self::of(Some(key.into()), Some(value.into()))
    }

    pub(crate) fn none() -> Self {
        Self::of(None, None)
    }

    /// The type's own for values.
    pub(crate) fn own_value() -> Self
    where
        V: DefaultSerde,
    {
        Self::of(None, Some(Known::own(V::default_serde())))
    }

    /// None yet: those that are inherited, and where there is none, the types' own.
    pub(crate) fn inherited_or_own() -> Self
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        Self::none().or_own(K::default_serde(), V::default_serde())
    }

    /// These, and where there is none and none is inherited, `key` and `value`.
    pub(crate) fn or_own(self, key: SharedSerde<K>, value: SharedSerde<V>) -> Self {
        Serdes { own: Some((key, value)), ..self }
    }

    /// These, with this serde for keys where there is one.
    pub(crate) fn with_key(self, key: Option<Known<K>>) -> Self {
        Serdes { key: key.or(self.key), ..self }
    }

    /// Both serdes, where both are known.
    pub(crate) fn both(&self) -> Option<(SharedSerde<K>, SharedSerde<V>)> {
        Some((Arc::clone(&self.key.as_ref()?.serde), Arc::clone(&self.value.as_ref()?.serde)))
    }

    /// Which of them somebody chose.
    pub(crate) fn are_given(&self) -> Given {
        Given {
            key: self.key.as_ref().is_some_and(|key| key.is_given),
            value: self.value.as_ref().is_some_and(|value| value.is_given),
        }
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
        let own = self.own.clone();
        let (own_key, own_value) = own.clone().unzip();
        Serdes {
            key: self.key.or_else(|| inherited.key.clone()).or_else(|| own_key.map(Known::own)),
            value: self.value.or_else(|| inherited.value.clone()).or_else(|| own_value.map(Known::own)),
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
            key: Some(self.key.unwrap_or_else(|| Known::own(K::default_serde()))),
            value: Some(self.value.unwrap_or_else(|| Known::own(V::default_serde()))),
            own: self.own,
            null_value: self.null_value,
        }
    }

    /// These, of values that may be missing: `None` is null.
    pub(crate) fn optional(&self) -> Serdes<K, Option<V>>
    where
        V: 'static,
    {
        let optional = |value: &SharedSerde<V>| Arc::new(OptionSerde(Arc::clone(value))) as SharedSerde<Option<V>>;
        Serdes::of(self.key.clone(), self.value.as_ref().map(|value| value.map(optional)))
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
        Serdes { null_value, ..Serdes::of(self.key.clone(), self.value.as_ref().map(|value| value.map(V::of_rows))) }
    }

    /// Key and value change type: only what is said to be kept is kept.
    pub(crate) fn key_only<W>(&self) -> Serdes<K, W> {
        Serdes::of(self.key.clone(), None)
    }

    pub(crate) fn value_only<K2>(&self) -> Serdes<K2, V> {
        Serdes { null_value: self.null_value, ..Serdes::of(None, self.value.clone()) }
    }

    /// These, without what the type of values says of nulls.
    pub(crate) fn alone(&self) -> Self {
        Serdes { null_value: None, ..self.clone() }
    }

    pub(crate) fn key_is_null(&self, key: &K) -> bool {
        self.key.as_ref().is_some_and(|known| known.serde.is_null(key))
    }

    pub(crate) fn value_is_null(&self, value: &V) -> bool {
        self.null_value.is_some_and(|is_null| is_null(value))
            || self.value.as_ref().is_some_and(|known| known.serde.is_null(value))
    }
}
