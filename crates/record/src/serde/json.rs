//! JSON (feature `json`), as Kafka Connect's and most applications' plain JSON topics hold it.
#![cfg(feature = "json")]

use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Encoded, Serde, SharedSerde, present};
use crate::SerdeError;

/// JSON text of any type that `serde` can write and read.
pub struct JsonSerde<T>(PhantomData<fn() -> T>);

impl<T> std::fmt::Debug for JsonSerde<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JsonSerde<{}>", std::any::type_name::<T>())
    }
}

impl<T: Serialize + DeserializeOwned> Serde<T> for JsonSerde<T> {
    fn serialize(&self, _topic: &str, value: &T, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        serde_json::to_writer(into, value).map_err(SerdeError::malformed::<T>)?;
        Ok(Encoded::Bytes)
    }
    fn deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<T, SerdeError> {
        serde_json::from_slice(present::<T>(bytes)?).map_err(SerdeError::malformed::<T>)
    }
}

/// The serde that writes `T` as JSON.
pub fn json<T: Serialize + DeserializeOwned + 'static>() -> SharedSerde<T> {
    Arc::new(JsonSerde(PhantomData))
}
