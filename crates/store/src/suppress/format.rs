//! How buffered changes lie in a changelog, equal to Java's (`BufferValue`, `ProcessorRecordContext`). Numbers are big-endian.
//!
//! A *part* is an `i32` length and so many bytes, or the length -1 for null.
//!
//! | header `v` | value |
//! |---|---|
//! | none (Kafka 2.1) | `i64` time, part old, part new |
//! | 1 (2.2) | `i64` time, context, part (part old, part new) |
//! | 2 (2.3) | context, part (part old, part new), part prior, `i64` time; or the next, which 2.4.0, 2.4.1 and 2.5.0 wrote under this number |
//! | 3 | context, part prior, part old (the length -2: the same as prior), part new, `i64` time |
//!
//! A context is `i64` timestamp, `i64` offset, part topic, `i32` partition, `i32` number of headers (-1 counts as none), and for
//! each header part name, part value.
//!
//! Where stores keep headers (`dsl.store.format=HEADERS`, from Kafka 4.4 on), a header beside `v` has the *stamp* of the old
//! value, and one that of the prior value unless both are the same: time and headers, as they lie before the value of a row
//! ([`RowFormat::Headers`]). A value that is none has no stamp, and the new value's is in the context.

use bytes::Bytes;
use headwater_record::{Header, HeaderView, Headers, Offset, RawHeaders, RawRecord, Timestamp, Topic};

use crate::{RecordContext, RowFormat};

/// The header that says how a buffered change lies.
pub const VERSION_HEADER: &str = "v";
/// What is in that header for the changes that are written here.
pub const VERSION_VALUE: &[u8] = &[3];
/// The header with the stamp of the prior value.
pub const PRIOR_HEADER: &str = "vh.prior";
/// The header with the stamp of the old value.
pub const OLD_HEADER: &str = "vh.old";

/// Bytes that are no buffered change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Malformed;

const NULL: i32 = -1;
const SAME_AS_PRIOR: i32 = -2;

/// A change that waits, as bytes.
#[derive(Clone, Copy, Debug)]
pub struct BufferedChange<'a> {
    /// Where it waits in the queue: for until when it waits, or since when.
    pub time: Timestamp,
    /// Of the record that changed it last.
    pub context: &'a RecordContext,
    /// What the key had when it was buffered first.
    pub prior: Option<&'a [u8]>,
    /// What the key had before the last change.
    pub old: Option<&'a [u8]>,
    /// What the key has.
    pub new: Option<&'a [u8]>,
}

impl BufferedChange<'_> {
    /// Appends the changelog's value.
    pub fn encode(&self, into: &mut Vec<u8>) {
        put_context(self.context, into);
        put_part(self.prior, into);
        if self.old.is_some() && self.old == self.prior {
            into.extend_from_slice(&SAME_AS_PRIOR.to_be_bytes());
        } else {
            put_part(self.old, into);
        }
        put_part(self.new, into);
        put_i64(self.time.millis(), into);
    }
}

/// A change that waits, as it was read from a changelog.
#[derive(Clone, Debug)]
pub struct BufferedBytes {
    /// Where it waits in the queue.
    pub time: Timestamp,
    /// Of the record that changed it last.
    pub context: RecordContext,
    /// What the key had when it was buffered first.
    pub prior: Option<Box<[u8]>>,
    /// What the key had before the last change.
    pub old: Option<Box<[u8]>>,
    /// What the key has.
    pub new: Option<Box<[u8]>>,
    /// The stamp of `prior`, if it was written.
    pub prior_stamp: Option<Box<[u8]>>,
    /// The stamp of `old`, if it was written.
    pub old_stamp: Option<Box<[u8]>>,
}

impl BufferedBytes {
    /// Reads a changelog record, of whatever version. `before` is the prior value of the same key, as far as one is buffered:
    /// old versions do not tell it.
    pub(super) fn decode(record: &RawRecord<'_>, before: Option<&[u8]>) -> Result<Self, Malformed> {
        let change = Self::decode_value(record, before)?;
        Ok(BufferedBytes {
            prior_stamp: stamp_of(record, PRIOR_HEADER)?,
            old_stamp: stamp_of(record, OLD_HEADER)?,
            ..change
        })
    }

    /// Reads a value of the newest version.
    pub(crate) fn newest(value: &[u8]) -> Result<Self, Malformed> {
        Self::version_3(value)
    }

    fn decode_value(record: &RawRecord<'_>, before: Option<&[u8]>) -> Result<Self, Malformed> {
        let mut rest = record.value.ok_or(Malformed)?;
        let Some(version) = last_header(record, VERSION_HEADER) else {
            let time = take_time(&mut rest)?;
            return Self::without_prior(time, context_of(record), rest, before);
        };
        match version.value {
            Some([3]) => Self::version_3(rest),
            Some([2]) => Self::version_2(rest).or_else(|_| Self::version_3(rest)),
            Some([1]) => {
                let time = take_time(&mut rest)?;
                let context = take_context(&mut rest)?;
                let change = take_part(&mut rest)?.ok_or(Malformed)?;
                Self::without_prior(time, context, change, before)
            }
            _ => Err(Malformed),
        }
    }

    fn without_prior(
        time: Timestamp,
        context: RecordContext,
        mut change: &[u8],
        before: Option<&[u8]>,
    ) -> Result<Self, Malformed> {
        let (old, new) = (take_part(&mut change)?, take_part(&mut change)?);
        Ok(Self::of(time, context, before.or(old), old, new))
    }

    fn version_2(mut rest: &[u8]) -> Result<Self, Malformed> {
        let context = take_context(&mut rest)?;
        let mut change = take_part(&mut rest)?.ok_or(Malformed)?;
        let (old, new) = (take_part(&mut change)?, take_part(&mut change)?);
        let prior = take_part(&mut rest)?;
        Ok(Self::of(take_time(&mut rest)?, context, prior, old, new))
    }

    fn version_3(mut rest: &[u8]) -> Result<Self, Malformed> {
        let context = take_context(&mut rest)?;
        let prior = take_part(&mut rest)?;
        let old = match take_i32(&mut rest)? {
            SAME_AS_PRIOR => prior,
            length => take_bytes(length, &mut rest)?,
        };
        let new = take_part(&mut rest)?;
        Ok(Self::of(take_time(&mut rest)?, context, prior, old, new))
    }

    fn of(
        time: Timestamp,
        context: RecordContext,
        prior: Option<&[u8]>,
        old: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Self {
        let [prior, old, new] = [prior, old, new].map(|part| part.map(Box::from));
        BufferedBytes { time, context, prior, old, new, prior_stamp: None, old_stamp: None }
    }
}

fn last_header<'a>(record: &RawRecord<'a>, name: &str) -> Option<HeaderView<'a>> {
    record.headers.iter().filter(|header| header.name == name).last()
}

fn stamp_of(record: &RawRecord<'_>, name: &str) -> Result<Option<Box<[u8]>>, Malformed> {
    let Some(header) = last_header(record, name) else { return Ok(None) };
    let stamp = header.value.ok_or(Malformed)?;
    let row = RowFormat::Headers.decode(stamp.to_vec()).map_err(|_| Malformed)?;
    if row.value().is_empty() { Ok(Some(stamp.into())) } else { Err(Malformed) }
}

/// What a record of the first version says of its context. In which topic it lies is not told here.
fn context_of(record: &RawRecord<'_>) -> RecordContext {
    RecordContext {
        timestamp: record.timestamp,
        offset: record.offset,
        partition: -1,
        topic: None,
        headers: record.headers.to_headers(),
    }
}

fn put_i32(number: i32, into: &mut Vec<u8>) {
    into.extend_from_slice(&number.to_be_bytes());
}

fn put_i64(number: i64, into: &mut Vec<u8>) {
    into.extend_from_slice(&number.to_be_bytes());
}

fn length(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

fn put_part(part: Option<&[u8]>, into: &mut Vec<u8>) {
    put_i32(part.map_or(NULL, |bytes| length(bytes.len())), into);
    into.extend_from_slice(part.unwrap_or_default());
}

fn put_context(context: &RecordContext, into: &mut Vec<u8>) {
    put_i64(context.timestamp.millis(), into);
    put_i64(context.offset.value(), into);
    // Java has a topic here always. No topic, as in a punctuation, becomes an empty name, which it can read.
    put_part(Some(context.topic.as_ref().map_or("", Topic::as_str).as_bytes()), into);
    put_i32(context.partition, into);
    let list = context.headers.snapshot();
    let headers = list.as_deref().map_or(RawHeaders::NONE, |list| RawHeaders::of(list));
    put_i32(length(headers.len()), into);
    for header in headers.iter() {
        put_part(Some(header.name.as_bytes()), into);
        put_part(header.value, into);
    }
}

fn take_context(rest: &mut &[u8]) -> Result<RecordContext, Malformed> {
    let timestamp = take_time(rest)?;
    let offset = Offset::new(take_i64(rest)?);
    let topic = take_text(rest)?;
    let partition = take_i32(rest)?;
    let headers = Headers::new();
    let count = take_i32(rest)?;
    if count < NULL {
        return Err(Malformed);
    }
    for _ in 0..count {
        let name = take_text(rest)?.into();
        let value = take_part(rest)?.map(Bytes::copy_from_slice);
        headers.push(Header { name, value });
    }
    let topic = (!topic.is_empty()).then(|| Topic::from(topic));
    Ok(RecordContext { timestamp, offset, partition, topic, headers })
}

fn take_i32(rest: &mut &[u8]) -> Result<i32, Malformed> {
    let (head, tail) = rest.split_first_chunk::<4>().ok_or(Malformed)?;
    *rest = tail;
    Ok(i32::from_be_bytes(*head))
}

fn take_i64(rest: &mut &[u8]) -> Result<i64, Malformed> {
    let (head, tail) = rest.split_first_chunk::<8>().ok_or(Malformed)?;
    *rest = tail;
    Ok(i64::from_be_bytes(*head))
}

fn take_time(rest: &mut &[u8]) -> Result<Timestamp, Malformed> {
    take_i64(rest).map(Timestamp::from_millis)
}

fn take_text(rest: &mut &[u8]) -> Result<String, Malformed> {
    let bytes = take_part(rest)?.ok_or(Malformed)?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

fn take_part<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Malformed> {
    let length = take_i32(rest)?;
    take_bytes(length, rest)
}

fn take_bytes<'a>(length: i32, rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Malformed> {
    if length == NULL {
        return Ok(None);
    }
    let length = usize::try_from(length).map_err(|_| Malformed)?;
    let (bytes, tail) = rest.split_at_checked(length).ok_or(Malformed)?;
    *rest = tail;
    Ok(Some(bytes))
}
