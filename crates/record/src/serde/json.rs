//! JSON (feature `json`), as Kafka Connect's and most applications' plain JSON topics hold it.

mod finite;

use std::io;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::finite::Finite;
use super::{Encoded, Serde, SharedSerde};
use crate::SerdeError;

/// What is null in JSON, and in Kafka no bytes at all.
const NULL: &[u8] = b"null";

/// JSON text of any type that `serde` can write and read.
///
/// What JSON calls `null`, such as `None`, is Kafka's null: of a table it deletes the row. A `NaN` or an infinity, which JSON
/// cannot say, is refused where it is written, so that nobody stumbles over it where it is read.
pub struct JsonSerde<T>(PhantomData<fn() -> T>);

impl<T> std::fmt::Debug for JsonSerde<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JsonSerde<{}>", std::any::type_name::<T>())
    }
}

impl<T: Serialize + DeserializeOwned> Serde<T> for JsonSerde<T> {
    fn serialize(&self, _topic: &str, value: &T, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        let start = into.len();
        let mut serializer = serde_json::Serializer::new(&mut *into);
        if let Err(error) = value.serialize(Finite(&mut serializer)) {
            into.truncate(start);
            return Err(SerdeError::unwritable::<T>(error));
        }
        if into.get(start..) == Some(NULL) {
            into.truncate(start);
            return Ok(Encoded::Null);
        }
        Ok(Encoded::Bytes)
    }

    fn deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<T, SerdeError> {
        let Some(bytes) = bytes else {
            let null = SerdeError::Null { type_name: std::any::type_name::<T>() };
            return serde_json::from_slice(NULL).map_err(|_| null);
        };
        serde_json::from_slice(bytes).map_err(SerdeError::malformed::<T>)
    }

    fn is_null(&self, value: &T) -> bool {
        let mut probe = Probe(NULL);
        serde_json::to_writer(&mut probe, value).is_ok() && probe.0.is_empty()
    }
}

/// Takes the bytes that it expects, and refuses at the first that is another.
struct Probe(&'static [u8]);

impl io::Write for Probe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A type that `serde` can write and read: what `#[derive(headwater::Json)]` asks for.
pub trait AsJson: Serialize + DeserializeOwned + 'static {}

impl<T: Serialize + DeserializeOwned + 'static> AsJson for T {}

/// The serde that writes `T` as JSON. `None` is Kafka's null.
///
/// ```
/// use headwater::record::serde::json;
/// use headwater::record::{Encoded, SerdeError};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Debug, PartialEq)]
/// struct Order {
///     item: String,
///     pieces: u32,
/// }
///
/// let orders = json::<Order>();
/// let mut bytes = Vec::new();
/// orders.serialize("orders", &Order { item: "pen".to_owned(), pieces: 3 }, &mut bytes)?;
/// assert_eq!(bytes, br#"{"item":"pen","pieces":3}"#);
/// assert_eq!(orders.deserialize("orders", Some(&bytes))?.pieces, 3);
///
/// bytes.clear();
/// assert_eq!(json::<Option<Order>>().serialize("orders", &None, &mut bytes)?, Encoded::Null);
/// # Ok::<(), SerdeError>(())
/// ```
pub fn json<T: Serialize + DeserializeOwned + 'static>() -> SharedSerde<T> {
    Arc::new(JsonSerde(PhantomData))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    fn bytes<T: Serialize + DeserializeOwned + 'static>(value: &T) -> Result<Option<String>, SerdeError> {
        let mut bytes = b"before".to_vec();
        let encoded = json::<T>().serialize("t", value, &mut bytes)?;
        let text = String::from_utf8(bytes.split_off(6)).map_err(SerdeError::custom)?;
        assert_eq!(bytes, b"before");
        Ok((encoded == Encoded::Bytes).then_some(text))
    }

    #[test]
    fn none_is_a_null_of_kafka_both_ways() -> Result<(), SerdeError> {
        assert_eq!(bytes(&None::<i64>)?, None);
        assert_eq!(bytes(&Some(7))?.as_deref(), Some("7"));
        assert_eq!(bytes(&Some("null".to_owned()))?.as_deref(), Some("\"null\""));
        let serde = json::<Option<i64>>();
        assert_eq!(serde.deserialize("t", None)?, None);
        assert_eq!(serde.deserialize("t", Some(b"null"))?, None, "as other programs write it");
        assert!(serde.is_null(&None) && !serde.is_null(&Some(1)));
        assert!(!json::<Vec<Option<i64>>>().is_null(&vec![None]), "null within a value is no null");
        Ok(())
    }

    #[test]
    fn null_of_a_type_without_one_is_refused_with_the_cure() {
        let refused = json::<i64>().deserialize("t", None).unwrap_err();
        assert!(matches!(refused, SerdeError::Null { type_name: "i64" }));
        assert!(refused.to_string().contains("`Option<i64>`"), "{refused}");
    }

    #[derive(Serialize, Deserialize)]
    enum Shape {
        Nothing,
        One(f64),
        Two(f64, f32),
        Named { side: f64 },
    }

    #[test]
    fn what_json_cannot_say_is_refused_wherever_it_lies() {
        let bad = f64::NAN;
        let shapes = [Shape::One(bad), Shape::Two(1.0, f32::INFINITY), Shape::Named { side: -f64::INFINITY }];
        for shape in &shapes {
            let refused = bytes(shape).unwrap_err().to_string();
            assert!(refused.contains("Shape") && refused.contains("no number in JSON"), "{refused}");
        }
        assert!(bytes(&bad).is_err());
        assert!(bytes(&Some(bad)).is_err());
        assert!(bytes(&vec![1.0, bad]).is_err());
        assert!(bytes(&(1, bad)).is_err());
        assert!(
            bytes(
                &BTreeMap::from([("k", Some(bad))])
                    .into_iter()
                    .map(|(k, v)| (k.to_owned(), v))
                    .collect::<BTreeMap<_, _>>()
            )
            .is_err()
        );
    }

    #[test]
    fn what_json_can_say_is_written_as_ever() -> Result<(), SerdeError> {
        let shapes =
            vec![Shape::Nothing, Shape::One(0.5), Shape::Two(1.0, -2.5), Shape::Named { side: f64::MIN_POSITIVE }];
        assert_eq!(bytes(&shapes)?, serde_json::to_string(&shapes).ok());
        let map = BTreeMap::from([(1_u8, (true, 'x')), (2, (false, 'y'))]);
        assert_eq!(bytes(&map)?, serde_json::to_string(&map).ok());
        let value: serde_json::Value =
            serde_json::from_str(r#"{"a":[1,-2,3.5,null,"t"],"b":{}}"#).map_err(SerdeError::custom)?;
        assert_eq!(bytes(&value)?.as_deref(), Some(r#"{"a":[1,-2,3.5,null,"t"],"b":{}}"#));
        Ok(())
    }
}
