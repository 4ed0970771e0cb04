//! Keys and values as a test writes them.

/// What a test gives for a key or value of type `T`: a `T`, or for a `String` its text.
pub trait Given<T>: sealed::Sealed<T> {
    /// The `T` that is meant.
    fn given(self) -> T;
}

impl<T> Given<T> for T {
    fn given(self) -> T {
        self
    }
}

impl Given<String> for &str {
    fn given(self) -> String {
        self.to_owned()
    }
}

mod sealed {
    pub trait Sealed<T> {}
    impl<T> Sealed<T> for T {}
    impl Sealed<String> for &str {}
}
