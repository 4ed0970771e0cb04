//! Protocol Buffers (feature `protobuf`), the bytes of the message and nothing before them.

use std::marker::PhantomData;
use std::sync::Arc;

use prost::Message;

use super::{Encoded, Serde, SharedSerde, present};
use crate::SerdeError;

/// The bytes of a message of `prost`. What a schema registry puts before a message is not among them.
pub struct ProtobufSerde<M>(PhantomData<fn() -> M>);

impl<M> std::fmt::Debug for ProtobufSerde<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ProtobufSerde<{}>", std::any::type_name::<M>())
    }
}

impl<M: Message + Default> Serde<M> for ProtobufSerde<M> {
    fn serialize(&self, _topic: &str, message: &M, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        message.encode(into).map_err(SerdeError::unwritable::<M>)?;
        Ok(Encoded::Bytes)
    }
    fn deserialize(&self, _topic: &str, bytes: Option<&[u8]>) -> Result<M, SerdeError> {
        M::decode(present::<M>(bytes)?).map_err(SerdeError::malformed::<M>)
    }
    fn encoded_len(&self, message: &M) -> Option<usize> {
        Some(message.encoded_len())
    }
}

/// The serde of the messages `M`. For one that may be null, see [`OptionSerde`](super::OptionSerde).
///
/// ```
/// use headwater::record::SerdeError;
/// use headwater::record::serde::protobuf;
///
/// #[derive(Clone, PartialEq, prost::Message)]
/// struct Payment {
///     #[prost(string, tag = "1")]
///     from: String,
///     #[prost(int64, tag = "2")]
///     cents: i64,
/// }
///
/// let payments = protobuf::<Payment>();
/// let mut bytes = Vec::new();
/// payments.serialize("payments", &Payment { from: "Ann".to_owned(), cents: 150 }, &mut bytes)?;
/// assert_eq!(bytes, b"\x0a\x03Ann\x10\x96\x01");
/// assert_eq!(payments.deserialize("payments", Some(&bytes))?.cents, 150);
/// # Ok::<(), SerdeError>(())
/// ```
pub fn protobuf<M: Message + Default + 'static>() -> SharedSerde<M> {
    Arc::new(ProtobufSerde(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, PartialEq, Message)]
    struct Flag {
        #[prost(bool, tag = "1")]
        up: bool,
    }

    #[test]
    fn an_empty_message_is_not_null() -> Result<(), SerdeError> {
        let mut bytes = Vec::new();
        assert_eq!(protobuf().serialize("t", &Flag { up: false }, &mut bytes)?, Encoded::Bytes);
        assert_eq!(bytes, b"");
        assert_eq!(protobuf::<Flag>().deserialize("t", Some(b""))?, Flag { up: false });
        assert!(matches!(protobuf::<Flag>().deserialize("t", None), Err(SerdeError::Null { .. })));
        Ok(())
    }

    #[test]
    fn bytes_that_are_no_message_are_refused() {
        let refused = protobuf::<Flag>().deserialize("t", Some(&[0x08])).unwrap_err().to_string();
        assert!(refused.contains("Flag"), "{refused}");
    }
}
