//! Integers of variable length, and a checked reader of borrowed bytes.
#![allow(clippy::inline_always, reason = "a reader stays in registers: calls made reading a record take 39 ns, not 15")]

use super::Malformed;

const CUT: Malformed = Malformed("it ends in the middle of a record");

/// Reads from the front of bytes and knows where it is; every read is checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    #[inline]
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Reader { bytes, at }
    }

    /// Where the next read begins.
    #[inline]
    pub(super) fn at(&self) -> usize {
        self.at
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let found = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk).ok_or(CUT)?;
        self.at += N;
        Ok(*found)
    }

    #[inline(always)]
    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        let byte = self.bytes.get(self.at).ok_or(CUT)?;
        self.at += 1;
        Ok(*byte)
    }

    /// Passes `length` bytes, and says where they lie.
    #[inline(always)]
    pub(super) fn span(&mut self, length: usize) -> Result<Span, Malformed> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len()).ok_or(CUT)?;
        let span = Span { start: self.at as u32, end: end as u32 };
        self.at = end;
        Ok(span)
    }

    #[inline(always)]
    pub(super) fn zigzag(&mut self) -> Result<i64, Malformed> {
        let number = self.unsigned()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    #[inline(always)]
    fn unsigned(&mut self) -> Result<u64, Malformed> {
        // Nearly all numbers of a record have one or two bytes; what is longer is read apart, by value, so that a reader can
        // live in registers.
        let first = self.u8()?;
        if first < 0x80 {
            return Ok(first.into());
        }
        let second = self.u8()?;
        if second < 0x80 {
            return Ok(u64::from(first & 0x7f) | u64::from(second) << 7);
        }
        let (number, at) = unsigned_long(self.bytes, self.at - 2)?;
        self.at = at;
        Ok(number)
    }

    /// A length: a zigzag number that is not negative.
    #[inline(always)]
    pub(super) fn length(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.zigzag()?).map_err(|_| Malformed("a length is negative"))
    }

    /// A key, a value, or the value of a header: its length, -1 for null, and its bytes.
    #[inline(always)]
    pub(super) fn nullable(&mut self) -> Result<Option<Span>, Malformed> {
        match self.zigzag()? {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length).map_err(|_| Malformed("a length is negative"))?;
                self.span(length).map(Some)
            }
        }
    }
}

/// The number at `at`, and where it ends.
fn unsigned_long(bytes: &[u8], mut at: usize) -> Result<(u64, usize), Malformed> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(at).ok_or(CUT)?;
        at += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok((number, at));
        }
    }
    Err(Malformed("a number has more than ten bytes"))
}

/// A part of bytes that were read, which are never longer than a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The part itself; `bytes` are those that the reader was given.
    #[inline]
    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

#[inline]
pub(super) const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

/// How many bytes [`put`] needs.
#[inline]
pub(super) const fn width(unsigned: u64) -> usize {
    (((64 - (unsigned | 1).leading_zeros()) * 9 + 64) / 64) as usize
}

/// Appends to `out`.
#[inline]
pub(super) fn put(out: &mut Vec<u8>, mut unsigned: u64) {
    while unsigned >= 0x80 {
        out.push(unsigned as u8 | 0x80);
        unsigned >>= 7;
    }
    out.push(unsigned as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_read_back() {
        for shift in 0..64 {
            for number in [1_i64 << shift, (1_i64 << shift).wrapping_neg(), (1_i64 << shift).wrapping_sub(1)] {
                let mut bytes = Vec::new();
                put(&mut bytes, zigzag(number));
                assert_eq!(bytes.len(), width(zigzag(number)), "{number}");
                assert_eq!(Reader::new(&bytes, 0).zigzag(), Ok(number));
            }
        }
        assert!(Reader::new(&[0x80; 11], 0).zigzag().is_err());
    }

    #[test]
    fn what_is_not_there_is_not_read() {
        assert_eq!(Reader::new(&[1, 2], 0).span(3), Err(CUT));
        assert_eq!(Reader::new(&[1, 2], 0).span(usize::MAX), Err(CUT));
        assert_eq!(Reader::new(&[3, 2], 0).nullable(), Err(Malformed("a length is negative")));
        assert_eq!(Reader::new(&[1, 2], 0).nullable(), Ok(None));
    }
}
