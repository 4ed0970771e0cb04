//! Types that have a null of their own.

/// A type with a null of its own, such as [`Option`].
///
/// Nothing in headwater asks this of a user's type, unless the user says `.nullable()` or `.into_nullable()` on a handle.
pub trait Nullable {
    /// The null.
    fn null() -> Self;
    /// Whether this is it.
    fn is_null(&self) -> bool;
}

impl<T> Nullable for Option<T> {
    fn null() -> Self {
        None
    }
    fn is_null(&self) -> bool {
        self.is_none()
    }
}
