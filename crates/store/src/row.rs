//! What a store keeps under a key: a value, beside it perhaps a timestamp and headers.

use headwater_record::{Header, Headers, RawHeaders, Timestamp};

use crate::StoreError;

/// A value to be stored.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The value's bytes.
    pub value: &'a [u8],
    /// Its event time; kept by [`RowFormat::Timestamped`] and [`RowFormat::Headers`] stores.
    pub timestamp: Timestamp,
    /// Its headers; kept by [`RowFormat::Headers`] stores.
    pub headers: RawHeaders<'a>,
}

impl<'a> Row<'a> {
    /// A value with neither timestamp nor headers.
    pub fn plain(value: &'a [u8]) -> Self {
        Row { value, timestamp: Timestamp::UNKNOWN, headers: RawHeaders::NONE }
    }

    /// A value with its timestamp.
    pub fn timestamped(value: &'a [u8], timestamp: Timestamp) -> Self {
        Row { value, timestamp, headers: RawHeaders::NONE }
    }
}

/// How a row lies in the store, big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RowFormat {
    /// The value.
    #[default]
    Plain,
    /// `i64` timestamp in milliseconds, then the value (Java's `ValueAndTimestampSerializer`).
    Timestamped,
    /// Zigzag varint length of the headers, the headers, `i64` timestamp, then the value (KIP-1271).
    Headers,
    /// Zigzag varint length of the headers, the headers, then the value: sessions under KIP-1271 (`AggregationWithHeaders`).
    HeadersOnly,
}

/// A row that was read: owns the bytes as they lay in the store.
#[derive(Clone, Debug, Default)]
pub struct RowBuf {
    bytes: Vec<u8>,
    value_start: usize,
    timestamp: Timestamp,
    headers: Headers,
}

/// A row where it lies in the store, without a copy. Its headers are not decoded.
#[derive(Clone, Copy, Debug)]
pub struct RowRef<'a> {
    /// The value's bytes.
    pub value: &'a [u8],
    /// The row's event time, [`Timestamp::UNKNOWN`] where the format has none.
    pub timestamp: Timestamp,
    /// How many bytes the row takes in the store.
    pub encoded_len: usize,
}

impl RowBuf {
    /// The row, lent.
    pub fn lend(&self) -> RowRef<'_> {
        RowRef { value: self.value(), timestamp: self.timestamp, encoded_len: self.bytes.len() }
    }

    /// A value with its timestamp.
    pub fn timestamped(value: Vec<u8>, timestamp: Timestamp) -> Self {
        RowBuf { bytes: value, value_start: 0, timestamp, headers: Headers::new() }
    }

    /// The value's bytes.
    pub fn value(&self) -> &[u8] {
        self.bytes.get(self.value_start..).unwrap_or_default()
    }

    /// How many bytes the row takes in the store.
    pub fn encoded_len(&self) -> usize {
        self.bytes.len()
    }

    /// The row's event time, [`Timestamp::UNKNOWN`] where the format has none.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// The row's headers, empty where the format has none.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }
}

impl RowFormat {
    /// What a value of `dsl.store.format` asks for: "headers" in any case, else timestamps alone (KIP-1285).
    pub fn of_setting(word: &str) -> Self {
        if word.trim().eq_ignore_ascii_case("headers") { RowFormat::Headers } else { RowFormat::Timestamped }
    }

    /// How many bytes a row of this format has beside its value.
    pub fn overhead(self, headers: &Headers) -> usize {
        let timestamp = if self.has_timestamp() { 8 } else { 0 };
        let block = if self.has_headers() {
            let list = headers.snapshot();
            let mut bytes = Vec::new();
            encode_headers(list.as_deref().map_or(RawHeaders::NONE, |list| RawHeaders::of(list)), &mut bytes);
            bytes.len()
        } else {
            0
        };
        timestamp + block
    }

    /// Whether rows of this format have a timestamp.
    pub fn has_timestamp(self) -> bool {
        matches!(self, RowFormat::Timestamped | RowFormat::Headers)
    }

    /// The same without headers.
    #[must_use]
    pub fn without_headers(self) -> Self {
        match self {
            RowFormat::Headers => RowFormat::Timestamped,
            RowFormat::HeadersOnly => RowFormat::Plain,
            other => other,
        }
    }

    /// The same without a timestamp, as sessions have it.
    #[must_use]
    pub fn without_timestamp(self) -> Self {
        if self.has_headers() { RowFormat::HeadersOnly } else { RowFormat::Plain }
    }

    /// Whether rows of this format have headers.
    pub fn has_headers(self) -> bool {
        matches!(self, RowFormat::Headers | RowFormat::HeadersOnly)
    }

    /// Appends the bytes of `row`.
    pub fn encode(self, row: Row<'_>, into: &mut Vec<u8>) {
        if self.has_headers() {
            encode_headers(row.headers, into);
        }
        if self.has_timestamp() {
            into.extend_from_slice(&row.timestamp.millis().to_be_bytes());
        }
        into.extend_from_slice(row.value);
    }

    /// The row whose bytes these are.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when they are not a row of this format.
    pub fn decode(self, bytes: Vec<u8>) -> Result<RowBuf, StoreError> {
        let headers = if self.has_headers() { decode_headers(&mut bytes.as_slice())? } else { Headers::new() };
        let RowRef { value, timestamp, .. } = self.lend(&bytes)?;
        let value_start = bytes.len() - value.len();
        Ok(RowBuf { bytes, value_start, timestamp, headers })
    }

    /// The row whose bytes these are, without a copy.
    ///
    /// # Errors
    /// As [`RowFormat::decode`].
    #[inline]
    pub fn lend(self, bytes: &[u8]) -> Result<RowRef<'_>, StoreError> {
        let mut value = bytes;
        if self.has_headers() {
            take_headers(&mut value)?;
        }
        let timestamp = if self.has_timestamp() {
            let (head, tail) = value.split_first_chunk::<8>().ok_or_else(corrupt)?;
            value = tail;
            Timestamp::from_millis(i64::from_be_bytes(*head))
        } else {
            Timestamp::UNKNOWN
        };
        Ok(RowRef { value, timestamp, encoded_len: bytes.len() })
    }
}

fn corrupt() -> StoreError {
    StoreError::Corrupt { reason: "a row is shorter than its format".to_owned() }
}

fn encode_headers(headers: RawHeaders<'_>, into: &mut Vec<u8>) {
    if headers.is_empty() {
        into.push(0);
        return;
    }
    let mut block = Vec::with_capacity(headers.payload_len() + 2 * headers.len() + 2);
    put_varint(headers.len() as i32, &mut block);
    for header in headers.iter() {
        put_varint(header.name.len() as i32, &mut block);
        block.extend_from_slice(header.name.as_bytes());
        put_varint(header.value.map_or(-1, |value| value.len() as i32), &mut block);
        block.extend_from_slice(header.value.unwrap_or_default());
    }
    put_varint(block.len() as i32, into);
    into.append(&mut block);
}

/// The block of headers that a row begins with.
fn take_headers<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], StoreError> {
    let length = usize::try_from(take_varint(rest)?).map_err(|_| corrupt())?;
    let (block, tail) = rest.split_at_checked(length).ok_or_else(corrupt)?;
    *rest = tail;
    Ok(block)
}

fn decode_headers(rest: &mut &[u8]) -> Result<Headers, StoreError> {
    let mut block = take_headers(rest)?;
    if block.is_empty() {
        return Ok(Headers::new());
    }
    let headers = Headers::new();
    for _ in 0..take_varint(&mut block)? {
        let name = take_block(&mut block)?.ok_or_else(corrupt)?;
        let name = String::from_utf8_lossy(name).into_owned();
        let value = take_block(&mut block)?.map(::bytes::Bytes::copy_from_slice);
        headers.push(Header { name: name.into(), value });
    }
    Ok(headers)
}

fn take_block<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, StoreError> {
    let Ok(length) = usize::try_from(take_varint(rest)?) else { return Ok(None) };
    let (block, tail) = rest.split_at_checked(length).ok_or_else(corrupt)?;
    *rest = tail;
    Ok(Some(block))
}

/// Kafka's signed varint: zigzag, seven bits a byte, low bits first.
fn put_varint(value: i32, into: &mut Vec<u8>) {
    let mut rest = (value << 1 ^ value >> 31) as u32;
    while rest >= 0x80 {
        into.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    into.push(rest as u8);
}

fn take_varint(rest: &mut &[u8]) -> Result<i32, StoreError> {
    let mut value = 0u32;
    for shift in (0..35).step_by(7) {
        let (&byte, tail) = rest.split_first().ok_or_else(corrupt)?;
        *rest = tail;
        value |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok((value >> 1) as i32 ^ -((value & 1) as i32));
        }
    }
    Err(corrupt())
}

#[cfg(test)]
mod tests {
    use headwater_record::{Headers, RawHeaders, Timestamp};

    use super::{Row, RowFormat};

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    /// What `ValueAndTimestampSerializer`, `ValueTimestampHeadersSerializer` and `AggregationWithHeadersSerializer` of Java 4.4.0
    /// wrote for the same.
    #[test]
    fn rows_are_java_s_bytes() {
        let (some, long) = (Headers::new(), Headers::new());
        some.add("a", Some(b"1"));
        some.add("b", None);
        some.add("ü", Some(b""));
        long.add("k".repeat(70), Some(&[9]));
        let of_long = format!("960102 8c01{}0209 76", "6b".repeat(70)).replace(' ', "");
        for (format, headers, java) in [
            (RowFormat::Plain, &some, "76"),
            (RowFormat::Timestamped, &some, "000000000000000776"),
            (RowFormat::Headers, &some, "18060261023102620104c3bc00000000000000000776"),
            (RowFormat::Headers, &Headers::new(), "00000000000000000776"),
            (RowFormat::HeadersOnly, &some, "18060261023102620104c3bc0076"),
            (RowFormat::HeadersOnly, &Headers::new(), "0076"),
            (RowFormat::HeadersOnly, &long, &of_long),
        ] {
            let (list, mut bytes) = (headers.to_vec(), Vec::new());
            let headers = RawHeaders::of(&list);
            format.encode(Row { value: b"v", timestamp: Timestamp::from_millis(7), headers }, &mut bytes);
            assert_eq!(hex(&bytes), java, "{format:?}");
        }
    }

    #[test]
    fn every_format_reads_what_it_wrote() {
        let headers = Headers::new();
        headers.add("a", Some(b"1"));
        headers.add("b", None);
        let list = headers.to_vec();
        for format in [RowFormat::Plain, RowFormat::Timestamped, RowFormat::Headers, RowFormat::HeadersOnly] {
            let mut bytes = Vec::new();
            format.encode(
                Row { value: b"v", timestamp: Timestamp::from_millis(7), headers: RawHeaders::of(&list) },
                &mut bytes,
            );
            let row = format.decode(bytes).expect("it was just written");
            assert_eq!(row.value(), b"v");
            assert_eq!(row.timestamp().millis(), if format.has_timestamp() { 7 } else { -1 });
            assert_eq!(row.headers().len(), if format.has_headers() { 2 } else { 0 });
        }
        assert!(RowFormat::Timestamped.decode(vec![1, 2]).is_err());
        assert!(RowFormat::Headers.decode(vec![9]).is_err());
    }
}
