//! Rows one behind the other in one piece of memory: nothing is allocated for each, and all go at once.

/// Three numbers of four bytes: how long the key is, for how long a row there is room, and how long the row is.
const HEAD: usize = 12;

/// In place of a row's length: the key is to be deleted.
const DELETED: u32 = u32::MAX;
/// The entry lies elsewhere by now, or was forgotten.
const GONE: u32 = u32::MAX - 1;
/// Beside a key's length: the entry waits for the next commit. No key is so long.
const PENDING: u32 = 1 << 31;

/// Keys with their rows.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    bytes: Vec<u8>,
    /// How many of them are entries that count no more.
    gone: usize,
}

/// A key, and its row unless it is to be deleted.
pub(crate) type Entry<'a> = (&'a [u8], Option<&'a [u8]>);

#[derive(Clone, Copy)]
struct Head {
    key: u32,
    room: u32,
    row: u32,
    is_pending: bool,
}

impl Head {
    /// How many bytes the entry takes.
    fn len(self) -> usize {
        HEAD + self.key as usize + self.room as usize
    }
}

impl Arena {
    /// Without entries, over memory that may be used.
    pub(crate) fn over(memory: Vec<u8>) -> Self {
        Arena { bytes: memory, gone: 0 }
    }

    pub(crate) fn into_memory(self) -> Vec<u8> {
        self.bytes
    }

    /// Adds an entry that waits for the next commit, whose row is what `fill` appends; where it lies.
    pub(crate) fn push(&mut self, key: &[u8], fill: Option<impl FnOnce(&mut Vec<u8>)>) -> usize {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; HEAD]);
        self.bytes.extend_from_slice(key);
        let start = self.bytes.len();
        let is_row = fill.map(|fill| fill(&mut self.bytes)).is_some();
        let room = (self.bytes.len() - start) as u32;
        let row = if is_row { room } else { DELETED };
        self.set_head(at, Head { key: key.len() as u32, room, row, is_pending: true });
        at
    }

    /// Puts another row in the place of the one at `at`, or behind all others when it has no room there; where the entry lies now,
    /// which waits for the next commit.
    pub(crate) fn replace(&mut self, at: usize, key: &[u8], fill: Option<impl FnOnce(&mut Vec<u8>)>) -> usize {
        let head = self.head(at);
        let Some(fill) = fill else {
            self.set_head(at, Head { row: DELETED, is_pending: true, ..head });
            return at;
        };
        let moved = self.push(key, Some(fill));
        let row = self.head(moved).row;
        if row > head.room {
            self.forget(at);
            // A row that grows and grows moves ever less often.
            let room = row.max(head.room.saturating_mul(2));
            self.bytes.resize(self.bytes.len() + (room - row) as usize, 0);
            self.set_head(moved, Head { room, row, is_pending: true, ..head });
            return moved;
        }
        self.bytes.copy_within(moved + HEAD + key.len().., at + HEAD + key.len());
        self.bytes.truncate(moved);
        self.set_head(at, Head { row, is_pending: true, ..head });
        at
    }

    /// Adds an entry of another arena as it is; where it lies.
    pub(crate) fn copy(&mut self, other: &Arena, from: usize) -> usize {
        let at = self.bytes.len();
        let entry = other.bytes.get(from..from + other.len_at(from));
        self.bytes.extend_from_slice(entry.unwrap_or_default());
        at
    }

    /// The entry at `at` is committed.
    pub(crate) fn settle(&mut self, at: usize) {
        let head = self.head(at);
        self.set_head(at, Head { is_pending: false, ..head });
    }

    pub(crate) fn is_pending(&self, at: usize) -> bool {
        let head = self.head(at);
        head.is_pending && head.row != GONE
    }

    /// How many bytes the entry at `at` takes.
    pub(crate) fn len_at(&self, at: usize) -> usize {
        self.head(at).len()
    }

    /// The entry at `at` counts no more.
    pub(crate) fn forget(&mut self, at: usize) {
        let head = self.head(at);
        self.gone += head.len();
        self.set_head(at, Head { row: GONE, ..head });
    }

    pub(crate) fn key(&self, at: usize) -> &[u8] {
        self.slice(at + HEAD, self.head(at).key)
    }

    /// The row at `at`; `None` when the key is to be deleted.
    pub(crate) fn row(&self, at: usize) -> Option<&[u8]> {
        let head = self.head(at);
        (head.row != DELETED).then(|| self.slice(at + HEAD + head.key as usize, head.row))
    }

    /// Where the entries lie, in the order of memory.
    pub(crate) fn places(&self) -> impl Iterator<Item = usize> {
        let mut next = 0;
        std::iter::from_fn(move || {
            while next < self.bytes.len() {
                let (at, head) = (next, self.head(next));
                next += head.len();
                if head.row != GONE {
                    return Some(at);
                }
            }
            None
        })
    }

    /// How many bytes the entries take, those that count no more among them.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.len()
    }

    /// Whether most of the memory is of entries that count no more.
    pub(crate) fn is_mostly_gone(&self) -> bool {
        self.gone > self.bytes.len() / 2
    }

    fn slice(&self, from: usize, len: u32) -> &[u8] {
        self.bytes.get(from..from + len as usize).unwrap_or_default()
    }

    fn head(&self, at: usize) -> Head {
        let bytes = self.bytes.get(at..).and_then(|rest| rest.first_chunk()).unwrap_or(&[0; HEAD]);
        let number = |from: usize| {
            let number = bytes.get(from..).and_then(|rest| rest.first_chunk());
            u32::from_ne_bytes(*number.unwrap_or(&[0; 4]))
        };
        let key = number(0);
        Head { key: key & !PENDING, room: number(4), row: number(8), is_pending: key & PENDING != 0 }
    }

    fn set_head(&mut self, at: usize, head: Head) {
        let Some(bytes) = self.bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<HEAD>()) else { return };
        let key = if head.is_pending { head.key | PENDING } else { head.key };
        let numbers = [key, head.room, head.row];
        for (to, number) in bytes.chunks_exact_mut(4).zip(numbers) {
            to.copy_from_slice(&number.to_ne_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Arena, HEAD};

    fn fill(row: &str) -> impl FnOnce(&mut Vec<u8>) {
        |bytes| bytes.extend_from_slice(row.as_bytes())
    }

    const NONE: Option<fn(&mut Vec<u8>)> = None;

    /// All entries as words; a deletion is a key alone.
    fn all(arena: &Arena) -> Vec<String> {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let entry = |at| match arena.row(at) {
            Some(row) => format!("{}={}", text(arena.key(at)), text(row)),
            None => text(arena.key(at)),
        };
        arena.places().map(entry).collect()
    }

    #[test]
    fn a_row_that_fits_takes_the_memory_of_the_one_before() {
        let mut arena = Arena::default();
        let (a, b) = (arena.push(b"a", Some(fill("long"))), arena.push(b"b", Some(fill(""))));
        let of_both = arena.memory() - arena.gone;
        for row in ["more", "", "abc", "four"] {
            assert_eq!(arena.replace(a, b"a", Some(fill(row))), a);
            assert_eq!(all(&arena), [format!("a={row}"), "b=".to_owned()]);
        }
        assert_eq!(arena.replace(a, b"a", NONE), a);
        assert_eq!(all(&arena), ["a", "b="]);
        assert_eq!(arena.replace(a, b"a", Some(fill("back"))), a);
        assert_eq!(arena.memory() - arena.gone, of_both);
        arena.forget(b);
        assert_eq!(all(&arena), ["a=back"]);
        assert_eq!(arena.memory() - arena.gone, of_both - HEAD - 1);
    }

    #[test]
    fn a_row_that_does_not_fit_moves_and_is_met_once() {
        let mut arena = Arena::default();
        let a = arena.push(b"a", NONE);
        arena.push(b"b", Some(fill("1")));
        let moved = arena.replace(a, b"a", Some(fill("12345")));
        assert_eq!(all(&arena), ["b=1", "a=12345"]);
        let again = arena.replace(moved, b"a", Some(fill("123456")));
        arena.push(b"c", Some(fill("c")));
        assert_eq!(all(&arena), ["b=1", "a=123456", "c=c"]);
        assert_eq!(arena.replace(again, b"a", Some(fill("1234567890"))), again, "it was given room to grow");
        assert_eq!(all(&arena), ["b=1", "a=1234567890", "c=c"]);
    }
}
