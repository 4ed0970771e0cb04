//! Reading and writing the plain big-endian fields that Kafka's older messages and Java's `DataOutputStream` are made of.

use headwater_record::Topic;

use super::CodecError;

/// Bytes that are read front to back. Nothing is allocated by a length that they claim.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    what: &'static str,
    length: usize,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Reader { what, length: bytes.len(), rest: bytes }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], CodecError> {
        let (taken, rest) =
            self.rest.split_at_checked(count).ok_or(CodecError::Truncated { what: self.what, length: self.length })?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (taken, rest) =
            self.rest.split_first_chunk().ok_or(CodecError::Truncated { what: self.what, length: self.length })?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn i8(&mut self) -> Result<i8, CodecError> {
        self.array().map(i8::from_be_bytes)
    }

    pub(super) fn i16(&mut self) -> Result<i16, CodecError> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, CodecError> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, CodecError> {
        self.array().map(i64::from_be_bytes)
    }

    pub(super) fn invalid(&self, field: &'static str, value: impl ToString) -> CodecError {
        CodecError::Invalid { what: self.what, field, value: value.to_string() }
    }

    /// A count that is not negative.
    pub(super) fn count(&mut self, field: &'static str) -> Result<usize, CodecError> {
        let count = self.i32()?;
        usize::try_from(count).map_err(|_| self.invalid(field, count))
    }

    /// So many items; the list grows with what was read.
    pub(super) fn list<T>(
        &mut self,
        field: &'static str,
        mut item: impl FnMut(&mut Self) -> Result<T, CodecError>,
    ) -> Result<Vec<T>, CodecError> {
        let count = self.count(field)?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Bytes after an `i32` length.
    pub(super) fn bytes(&mut self, field: &'static str) -> Result<&'a [u8], CodecError> {
        let length = self.count(field)?;
        self.take(length)
    }

    /// As [`Reader::bytes`], and null for -1.
    pub(super) fn nullable_bytes(&mut self, field: &'static str) -> Result<Option<&'a [u8]>, CodecError> {
        match self.i32()? {
            -1 => Ok(None),
            length => match usize::try_from(length) {
                Ok(length) => self.take(length).map(Some),
                Err(_) => Err(self.invalid(field, length)),
            },
        }
    }

    /// Text after an `i16` length, null for -1.
    pub(super) fn nullable_string(&mut self, field: &'static str) -> Result<Option<&'a str>, CodecError> {
        match self.i16()? {
            -1 => Ok(None),
            length => match usize::try_from(length) {
                Ok(length) => self.text(length, field).map(Some),
                Err(_) => Err(self.invalid(field, length)),
            },
        }
    }

    /// Text after an `i16` length.
    pub(super) fn string(&mut self, field: &'static str) -> Result<&'a str, CodecError> {
        self.nullable_string(field)?.ok_or_else(|| self.invalid(field, "null"))
    }

    /// Java's `readUTF`, for text without the characters where its encoding differs from UTF-8.
    pub(super) fn utf(&mut self, field: &'static str) -> Result<&'a str, CodecError> {
        let length = usize::from(self.array().map(u16::from_be_bytes)?);
        self.text(length, field)
    }

    fn text(&mut self, length: usize, field: &'static str) -> Result<&'a str, CodecError> {
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map_err(|error| self.invalid(field, error))
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), CodecError> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(CodecError::Trailing { what: self.what, count }),
        }
    }
}

/// Appends fields.
pub(super) trait Writer {
    fn put_i8(&mut self, value: i8);
    fn put_i16(&mut self, value: i16);
    fn put_i32(&mut self, value: i32);
    fn put_i64(&mut self, value: i64);
    fn put_count(&mut self, count: usize);
    fn put_bytes(&mut self, value: &[u8]);
    fn put_string(&mut self, value: &str);
    fn put_utf(&mut self, value: &str);

    fn put_topic(&mut self, topic: &Topic) {
        self.put_string(topic.as_str());
    }
}

impl Writer for Vec<u8> {
    fn put_i8(&mut self, value: i8) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_i16(&mut self, value: i16) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_i32(&mut self, value: i32) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_i64(&mut self, value: i64) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_count(&mut self, count: usize) {
        self.put_i32(count as i32);
    }

    fn put_bytes(&mut self, value: &[u8]) {
        self.put_count(value.len());
        self.extend_from_slice(value);
    }

    fn put_string(&mut self, value: &str) {
        self.put_i16(value.len() as i16);
        self.extend_from_slice(value.as_bytes());
    }

    fn put_utf(&mut self, value: &str) {
        self.extend_from_slice(&(value.len() as u16).to_be_bytes());
        self.extend_from_slice(value.as_bytes());
    }
}
