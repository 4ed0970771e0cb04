//! The serdes that a handle has inherited (D15).

use headwater_record::{DefaultSerde, SharedSerde};

/// What is known of how keys and values are written.
pub(crate) struct Serdes<K, V> {
    pub(crate) key: Option<SharedSerde<K>>,
    pub(crate) value: Option<SharedSerde<V>>,
}

impl<K, V> Clone for Serdes<K, V> {
    fn clone(&self) -> Self {
        Serdes { key: self.key.clone(), value: self.value.clone() }
    }
}

impl<K, V> Serdes<K, V> {
    pub(crate) fn none() -> Self {
        Serdes { key: None, value: None }
    }

    /// These, and where there is none, those of `inherited`.
    pub(crate) fn or(self, inherited: &Serdes<K, V>) -> Self {
        Serdes {
            key: self.key.or_else(|| inherited.key.clone()),
            value: self.value.or_else(|| inherited.value.clone()),
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
        }
    }

    /// Key and value change type: only what is said to be kept is kept.
    pub(crate) fn key_only<W>(&self) -> Serdes<K, W> {
        Serdes { key: self.key.clone(), value: None }
    }

    pub(crate) fn value_only<K2>(&self) -> Serdes<K2, V> {
        Serdes { key: None, value: self.value.clone() }
    }

    pub(crate) fn key_is_null(&self, key: &K) -> bool {
        self.key.as_ref().is_some_and(|serde| serde.is_null(key))
    }

    pub(crate) fn value_is_null(&self, value: &V) -> bool {
        self.value.as_ref().is_some_and(|serde| serde.is_null(value))
    }
}
