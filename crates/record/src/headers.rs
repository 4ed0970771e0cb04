//! The header list of a record.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// One header: a name, and bytes or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The name; names may repeat.
    pub name: Arc<str>,
    /// The value; Kafka distinguishes no value from an empty one.
    pub value: Option<Bytes>,
}

/// A record's headers: ordered, with names that may repeat.
///
/// As Java's `Headers`, one list belongs to one record and is seen by all who hold that record, so a change by one processor is
/// seen by the siblings that run after it. A clone is a snapshot of its own; cloning costs one reference count, and an empty
/// list costs nothing at all.
///
/// ```
/// use headwater::record::Headers;
/// let headers = Headers::new();
/// headers.add("trace", Some(b"7"));
/// let copy = headers.clone();
/// headers.remove("trace");
/// assert_eq!(copy.last("trace").and_then(|h| h.value).as_deref(), Some(&b"7"[..]));
/// assert!(headers.is_empty());
/// ```
#[derive(Clone, Default)]
pub struct Headers {
    // `None` is the empty list, so that records without headers allocate nothing.
    list: RefCell<Option<Arc<Vec<Header>>>>,
}

impl Headers {
    /// An empty list.
    #[inline]
    pub const fn new() -> Self {
        Headers { list: RefCell::new(None) }
    }

    /// Appends a header, keeping others of the same name.
    pub fn add(&self, name: impl Into<Arc<str>>, value: Option<&[u8]>) {
        self.push(Header { name: name.into(), value: value.map(Bytes::copy_from_slice) });
    }

    /// Appends `header`.
    pub fn push(&self, header: Header) {
        let mut list = self.list.borrow_mut();
        Arc::make_mut(list.get_or_insert_with(Arc::default)).push(header);
    }

    /// Removes all headers named `name`.
    pub fn remove(&self, name: &str) {
        let mut list = self.list.borrow_mut();
        if let Some(headers) = list.as_mut()
            && headers.iter().any(|header| &*header.name == name)
        {
            Arc::make_mut(headers).retain(|header| &*header.name != name);
        }
    }

    /// The last header named `name`, as Java's `lastHeader`.
    pub fn last(&self, name: &str) -> Option<Header> {
        self.list.borrow().as_ref()?.iter().rev().find(|header| &*header.name == name).cloned()
    }

    /// How many headers there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.list.borrow().as_ref().map_or(0, |list| list.len())
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All headers in order, as they are now.
    pub fn to_vec(&self) -> Vec<Header> {
        self.list.borrow().as_ref().map(|list| list.to_vec()).unwrap_or_default()
    }

    /// Calls `each` with every header in order.
    pub fn for_each(&self, mut each: impl FnMut(&Header)) {
        if let Some(list) = self.list.borrow().as_ref() {
            list.iter().for_each(&mut each);
        }
    }

    /// The list as it is now, for whoever must hold it while others may change it.
    #[inline]
    pub fn snapshot(&self) -> Option<Arc<Vec<Header>>> {
        self.list.borrow().clone()
    }
}

impl FromIterator<Header> for Headers {
    fn from_iter<I: IntoIterator<Item = Header>>(headers: I) -> Self {
        let list: Vec<Header> = headers.into_iter().collect();
        Headers { list: RefCell::new((!list.is_empty()).then(|| Arc::new(list))) }
    }
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.to_vec() == other.to_vec()
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.to_vec().iter().map(|h| (&h.name, &h.value))).finish()
    }
}
