//! Keys and values as a test writes them.

/// What a test gives for a key or value of type `T`: a `T`, for a `String` its text, for an `Option` what is in it.
pub trait Given<T>: sealed::Sealed<T> {
    /// The `T` that is meant.
    fn given(self) -> T;
}

impl<T> Given<T> for T {
    fn given(self) -> T {
        self
    }
}

impl<T> Given<Option<T>> for T {
    fn given(self) -> Option<T> {
        Some(self)
    }
}

impl Given<String> for &str {
    fn given(self) -> String {
        self.to_owned()
    }
}

impl Given<Option<String>> for &str {
    fn given(self) -> Option<String> {
        Some(self.to_owned())
    }
}

mod sealed {
    pub trait Sealed<T> {}
    impl<T> Sealed<T> for T {}
    impl<T> Sealed<Option<T>> for T {}
    impl Sealed<String> for &str {}
    impl Sealed<Option<String>> for &str {}
}
