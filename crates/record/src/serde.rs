//! How bytes become types and types become bytes.

mod bytes;
mod integer;
#[cfg(feature = "json")]
mod json;
mod list;
mod option;
#[cfg(feature = "protobuf")]
mod protobuf;
mod string;
mod tuple;
mod unit;

use std::sync::Arc;

pub use self::bytes::BytesSerde;
pub use self::integer::{BoolSerde, NumberSerde};
#[cfg(feature = "json")]
pub use self::json::{AsJson, JsonSerde, json};
pub use self::list::{FixedSize, ListSerde};
pub use self::option::OptionSerde;
#[cfg(feature = "protobuf")]
pub use self::protobuf::{ProtobufSerde, protobuf};
pub use self::string::{StringSerde, UuidSerde};
pub use self::tuple::TupleSerde;
pub use self::unit::UnitSerde;

use crate::SerdeError;

/// Whether a value became bytes or Kafka's null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoded {
    /// No bytes at all: a null key, a tombstone.
    Null,
    /// The bytes that were appended, possibly none: empty is not null.
    Bytes,
}

impl Encoded {
    /// `bytes` when it was encoded to bytes, else `None`.
    #[inline]
    pub fn of(self, bytes: &[u8]) -> Option<&[u8]> {
        match self {
            Encoded::Null => None,
            Encoded::Bytes => Some(bytes),
        }
    }
}

/// Turns values of `T` into bytes and back: Kafka's `Serde`, as one object.
///
/// Whether null is a value of `T` is this object's decision: [`Serde::deserialize`] is handed `None` for it and may refuse,
/// and [`Serde::is_null`] says which value it stands for.
///
/// ```
/// use headwater::record::{Encoded, Serde, SerdeError};
/// /// Celsius in tenths of a degree.
/// struct Celsius;
/// impl Serde<f32> for Celsius {
///     fn serialize(&self, _topic: &str, value: &f32, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
///         into.extend_from_slice(&((value * 10.0) as i16).to_be_bytes());
///         Ok(Encoded::Bytes)
///     }
///     fn deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<f32, SerdeError> {
///         let bytes = bytes.ok_or(SerdeError::Null { type_name: "f32" })?;
///         let tenths = <[u8; 2]>::try_from(bytes).map_err(SerdeError::malformed::<f32>)?;
///         Ok(f32::from(i16::from_be_bytes(tenths)) / 10.0)
///     }
/// }
/// let mut bytes = Vec::new();
/// Celsius.serialize("temperatures", &21.5, &mut bytes)?;
/// assert_eq!(Celsius.deserialize("temperatures", Some(&bytes))?, 21.5);
/// # Ok::<(), SerdeError>(())
/// ```
pub trait Serde<T>: Send + Sync {
    /// Appends the bytes of `value` to `into`, or says that it is null. `topic` is the topic that the bytes go to
    /// (a schema registry names subjects by it).
    ///
    /// # Errors
    /// When the value has no bytes in this format.
    fn serialize(&self, topic: &str, value: &T, into: &mut Vec<u8>) -> Result<Encoded, SerdeError>;

    /// The value of `bytes`, which are `None` for Kafka's null. `topic` is the topic that they come from.
    ///
    /// # Errors
    /// When they are not the bytes of a value, null where null is none included.
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<T, SerdeError>;

    /// Whether `value` stands for null. Operators that drop null keys or values as Java does ask this.
    #[inline]
    fn is_null(&self, value: &T) -> bool {
        let _ = value;
        false
    }

    /// How many bytes [`Serde::serialize`] would append, where that is cheap to say. Record caches account by it.
    #[inline]
    fn encoded_len(&self, value: &T) -> Option<usize> {
        let _ = value;
        None
    }

    /// How many of the leading bytes of a serialised key decide its partition: all of them, but for windowed keys, where records
    /// of one key go to one partition whatever their window (Java's `WindowedStreamPartitioner`).
    #[inline]
    fn partition_prefix(&self, bytes: &[u8]) -> usize {
        bytes.len()
    }
}

/// A [`Serde`] that several owners share, as handles, sinks and stores do.
pub type SharedSerde<T> = Arc<dyn Serde<T>>;

impl<T, S: Serde<T> + ?Sized> Serde<T> for Arc<S> {
    fn serialize(&self, topic: &str, value: &T, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        (**self).serialize(topic, value, into)
    }
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<T, SerdeError> {
        (**self).deserialize(topic, bytes)
    }
    fn is_null(&self, value: &T) -> bool {
        (**self).is_null(value)
    }
    fn encoded_len(&self, value: &T) -> Option<usize> {
        (**self).encoded_len(value)
    }
    fn partition_prefix(&self, bytes: &[u8]) -> usize {
        (**self).partition_prefix(bytes)
    }
}

/// A type that says by itself how it is written in Kafka.
///
/// `String`, integers, floats, `bool`, `Vec<u8>`, `Bytes`, `Uuid`, `()` (always null), and `Option` of these have it, with the bytes of
/// Java's built-in serdes; a `Vec` of them has those of Java's `ListSerde`, and so have tuples of them, as keys of several parts
/// ([`TupleSerde`]). A type of one's own gets it in a line: `#[derive(headwater::Json)]` or `#[derive(headwater::Protobuf)]`.
///
/// ```
/// use std::sync::Arc;
/// use headwater::record::{DefaultSerde, Encoded, Serde, SerdeError, SharedSerde};
///
/// /// A country by its two letters, in two bytes.
/// #[derive(Clone, Copy)]
/// struct Country([u8; 2]);
/// struct CountrySerde;
/// impl Serde<Country> for CountrySerde {
///     fn serialize(&self, _topic: &str, country: &Country, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
///         into.extend_from_slice(&country.0);
///         Ok(Encoded::Bytes)
///     }
///     fn deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<Country, SerdeError> {
///         let bytes = bytes.ok_or(SerdeError::Null { type_name: "Country" })?;
///         bytes.try_into().map(Country).map_err(SerdeError::malformed::<Country>)
///     }
/// }
/// impl DefaultSerde for Country {
///     fn default_serde() -> SharedSerde<Self> {
///         Arc::new(CountrySerde)
///     }
/// }
/// // Now `stream::<Country, i64>(..)` compiles, and so does `stream::<(Country, String), Vec<Country>>(..)`.
/// let _ = <(Country, String)>::default_serde();
/// ```
///
/// A type of another crate cannot have one. Its serde is passed in the options of the operator that writes it, such as that of JSON:
///
/// ```
/// # #[cfg(feature = "json")] {
/// use std::time::Duration;
///
/// use headwater::prelude::*;
/// use headwater::record::serde::json;
///
/// let builder = StreamsBuilder::new();
/// let waits = builder.stream::<String, i64>("waits-ms").group_by_key();
/// let kept = Materialized::inherited().with_name("waited").with_value_serde(json());
/// waits.aggregate_with(|| Duration::ZERO, |_, wait, sum| sum + Duration::from_millis(*wait as u64), kept);
/// # builder.build()?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no default serde",
    label = "headwater does not know how to write this type's bytes",
    note = "for a type of your own, say how it is written where it is defined: `#[derive(serde::Serialize, serde::Deserialize, headwater::Json)]` (feature `json`), `#[derive(headwater::Protobuf)]` on a `prost` message (feature `protobuf`), or implement `headwater::record::DefaultSerde`",
    note = "or pass one: use the operator's `_with` form, for instance `stream_with(topic, Consumed::with(key_serde, value_serde))` or `to_with(topic, Produced::with(..))`",
    note = "for a type of another crate that `serde` can write and read, the one to pass is `headwater::record::serde::json()` (feature `json`): `aggregate_with(.., Materialized::inherited().with_value_serde(json()))`",
    note = "a windowed key is written with the serde that it has inherited: `to_with(topic, Produced::inherited())`; a topic of them is read with `headwater::window::TimeWindowedSerde` or `SessionWindowedSerde`, whose pages have examples"
)]
pub trait DefaultSerde: Sized + 'static {
    /// The bytes of an entry of a list of these, where they are always as many.
    const SIZE_IN_LISTS: FixedSize = FixedSize::No;

    /// The serde of this type.
    fn default_serde() -> SharedSerde<Self>;

    /// The serde of a `Vec` of these: Java's `ListSerde`, unless the type has something better.
    fn list_serde() -> SharedSerde<Vec<Self>> {
        list::list_of()
    }
}

fn present<T>(bytes: Option<&[u8]>) -> Result<&[u8], SerdeError> {
    bytes.ok_or(SerdeError::Null { type_name: std::any::type_name::<T>() })
}
