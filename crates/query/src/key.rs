//! Keys as text, in paths and in answers.

use std::fmt;
use std::fmt::Display;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// How keys of a store are written in paths and answers.
///
/// ```
/// use headwater::query::KeyText;
///
/// assert_eq!(KeyText::<i64>::plain().read("42"), Ok(42));
/// assert!(KeyText::<i64>::plain().read("many").is_err());
/// let raw = KeyText::<Vec<u8>>::base64();
/// assert_eq!(raw.write(&vec![0xfb, 0xff]), "-_8");
/// assert_eq!(raw.read("-_8"), Ok(vec![0xfb, 0xff]));
/// ```
pub struct KeyText<K> {
    read: fn(&str) -> Result<K, String>,
    write: fn(&K) -> String,
}

impl<K> KeyText<K> {
    /// As these functions say; what `write` gives, `read` takes. The error of `read` tells what is wrong with a text.
    pub fn new(read: fn(&str) -> Result<K, String>, write: fn(&K) -> String) -> Self {
        KeyText { read, write }
    }

    /// As the type writes itself: strings and numbers.
    pub fn plain() -> Self
    where
        K: FromStr<Err: Display> + Display,
    {
        KeyText { read: |text| text.parse().map_err(|error: K::Err| error.to_string()), write: K::to_string }
    }

    /// Raw bytes in base64 for URLs, without padding (RFC 4648, 5).
    pub fn base64() -> Self
    where
        K: From<Vec<u8>> + AsRef<[u8]>,
    {
        let read = |text: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(text);
            bytes.map(K::from).map_err(|error| format!("it is no base64 for URLs: {error}"))
        };
        KeyText { read, write: |key| URL_SAFE_NO_PAD.encode(key) }
    }

    /// The key that `text` spells.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(&self, text: &str) -> Result<K, String> {
        (self.read)(text)
    }

    /// How `key` is spelt.
    pub fn write(&self, key: &K) -> String {
        (self.write)(key)
    }
}

impl<K> Clone for KeyText<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for KeyText<K> {}

impl<K> fmt::Debug for KeyText<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText")
    }
}
