//! What the values of a stream are to a table that is made of it.

use std::sync::Arc;

use headwater_record::serde::OptionSerde;
use headwater_record::{Encoded, Serde, SerdeError, SharedSerde};

/// What a stream's value says of a table's row of values `R`: every value is its own row, and of an `Option` a `None` deletes it.
pub trait Row<R>: sealed::Sealed<R> + 'static {}

impl<R: 'static> Row<R> for R {}
impl<R: Clone + 'static> Row<R> for Option<R> {}

pub(crate) mod sealed {
    use headwater_record::SharedSerde;

    /// What is null among values of this type.
    pub(crate) type IsNull<T> = fn(&T) -> bool;

    pub trait Sealed<R>: Sized {
        /// The row's value; `None` when it is deleted.
        fn row(&self) -> Option<&R>;
        /// The serde of rows, of which the stream's is this.
        fn of_rows(stream: &SharedSerde<Self>) -> SharedSerde<R>;
        /// The serde of the stream, of which the rows' is this.
        fn of_stream(rows: &SharedSerde<R>) -> SharedSerde<Self>;
        /// What is null among rows, where it is known for the stream.
        fn null_row(stream: IsNull<Self>) -> Option<IsNull<R>>;
    }
}

impl<R: 'static> sealed::Sealed<R> for R {
    fn row(&self) -> Option<&R> {
        Some(self)
    }
    fn of_rows(stream: &SharedSerde<R>) -> SharedSerde<R> {
        Arc::clone(stream)
    }
    fn of_stream(rows: &SharedSerde<R>) -> SharedSerde<R> {
        Arc::clone(rows)
    }
    fn null_row(stream: sealed::IsNull<R>) -> Option<sealed::IsNull<R>> {
        Some(stream)
    }
}

impl<R: Clone + 'static> sealed::Sealed<R> for Option<R> {
    fn row(&self) -> Option<&R> {
        self.as_ref()
    }
    fn of_rows(stream: &SharedSerde<Option<R>>) -> SharedSerde<R> {
        Arc::new(OfRows(Arc::clone(stream)))
    }
    fn of_stream(rows: &SharedSerde<R>) -> SharedSerde<Option<R>> {
        Arc::new(OptionSerde(Arc::clone(rows)))
    }
    fn null_row(_stream: sealed::IsNull<Option<R>>) -> Option<sealed::IsNull<R>> {
        None
    }
}

/// The serde of an `Option`, for values that are there.
struct OfRows<R>(SharedSerde<Option<R>>);

impl<R: Clone> Serde<R> for OfRows<R> {
    fn serialize(&self, topic: &str, value: &R, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        self.0.serialize(topic, &Some(value.clone()), into)
    }
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<R, SerdeError> {
        let null = || SerdeError::Null { type_name: std::any::type_name::<R>() };
        self.0.deserialize(topic, bytes)?.ok_or_else(null)
    }
}
