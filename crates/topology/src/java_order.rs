//! The order in which Java's collections give their elements back: it shows in descriptions and in the order of stores.

use std::cmp::Ordering;

use headwater_record::TopicPartition;

/// The capacity at which a `HashMap` starts.
const FIRST_CAPACITY: usize = 16;

/// Key and value pairs in the order in which a Java `HashMap<String, _>` (or the `HashSet` of the keys) that they were put into
/// in the given order iterates.
pub(crate) fn hash_map<T>(entries: impl IntoIterator<Item = (String, T)>) -> Vec<(String, T)> {
    let mut entries: Vec<(String, T)> = entries.into_iter().collect();
    let capacity = capacity(entries.len());
    // Within a bucket elements stay in the order in which they came, also when the table grows: so a stable sort by bucket.
    entries.sort_by_key(|(key, _)| bucket(hash_code(key), capacity));
    entries
}

/// Byte arrays in the order in which a Java `HashSet<Bytes>` that they were put into in this order iterates. It never shrinks, and
/// once held `most` elements.
pub(crate) fn byte_set<T: AsRef<[u8]>>(mut elements: Vec<T>, most: usize) -> Vec<T> {
    let capacity = capacity(most.max(elements.len()));
    elements.sort_by_cached_key(|bytes| bucket(bytes_hash_code(bytes.as_ref()), capacity));
    elements
}

/// The places of `partitions` in the order in which a Java `HashMap<TopicPartition, _>` that they were put into in this order iterates.
#[must_use]
pub fn partitions<'a>(partitions: impl IntoIterator<Item = &'a TopicPartition>) -> Vec<usize> {
    let hashes: Vec<u32> = partitions.into_iter().map(partition_hash_code).collect();
    let capacity = capacity(hashes.len());
    let mut places: Vec<usize> = (0..hashes.len()).collect();
    places.sort_by_key(|place| hashes.get(*place).map(|hash| bucket(*hash, capacity)));
    places
}

/// `TopicPartition#hashCode`.
fn partition_hash_code(TopicPartition { topic, partition }: &TopicPartition) -> u32 {
    let first = 31_u32.wrapping_add(partition.cast_unsigned());
    first.wrapping_mul(31).wrapping_add(hash_code(topic.as_str()))
}

/// How many buckets a table has that holds, or once held, so many elements.
fn capacity(elements: usize) -> usize {
    let mut capacity = FIRST_CAPACITY;
    while elements * 4 > capacity * 3 {
        capacity *= 2;
    }
    capacity
}

fn bucket(hash: u32, capacity: usize) -> usize {
    spread(hash) as usize & (capacity - 1)
}

/// `Arrays#hashCode` of bytes, which are signed.
fn bytes_hash_code(bytes: &[u8]) -> u32 {
    bytes.iter().fold(1_u32, |hash, &byte| hash.wrapping_mul(31).wrapping_add(i32::from(byte as i8) as u32))
}

/// `String#hashCode`: over UTF-16 units.
fn hash_code(text: &str) -> u32 {
    text.encode_utf16().fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
}

/// `HashMap#hash`.
fn spread(hash: u32) -> u32 {
    hash ^ (hash >> 16)
}

/// Java's `TreeSet`: a red-black tree that compares with the order that holds when an element is added. Where that order changes
/// between additions, as it does while Java describes a topology, the elements are where the tree put them.
#[derive(Debug, Default)]
pub(crate) struct TreeSet {
    nodes: Vec<TreeNode>,
    root: Option<usize>,
}

#[derive(Debug)]
struct TreeNode {
    element: usize,
    left: Option<usize>,
    right: Option<usize>,
    parent: Option<usize>,
    red: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }
}

impl TreeSet {
    /// Adds `element` unless it is found by `compare`.
    pub(crate) fn add(&mut self, element: usize, compare: impl Fn(usize, usize) -> Ordering) {
        let mut parent = None;
        let mut side = Side::Left;
        let mut here = self.root;
        while let Some(node) = here.and_then(|index| self.nodes.get(index)) {
            side = match compare(element, node.element) {
                Ordering::Less => Side::Left,
                Ordering::Greater => Side::Right,
                Ordering::Equal => return,
            };
            parent = here;
            here = if side == Side::Left { node.left } else { node.right };
        }
        let added = self.nodes.len();
        self.nodes.push(TreeNode { element, left: None, right: None, parent, red: true });
        match parent {
            None => self.root = Some(added),
            Some(parent) => self.set_child(parent, side, Some(added)),
        }
        self.balance(added);
    }

    /// The elements from left to right.
    pub(crate) fn elements(&self) -> Vec<usize> {
        let mut elements = Vec::with_capacity(self.nodes.len());
        let mut path = Vec::new();
        let mut here = self.root;
        loop {
            while let Some(index) = here {
                path.push(index);
                here = self.child(index, Side::Left);
            }
            let Some(index) = path.pop() else { return elements };
            elements.extend(self.nodes.get(index).map(|node| node.element));
            here = self.child(index, Side::Right);
        }
    }

    fn balance(&mut self, added: usize) {
        let mut here = added;
        while let Some(parent) = self.parent(here).filter(|parent| self.is_red(Some(*parent))) {
            let Some(grandparent) = self.parent(parent) else { break };
            let side = self.side_of(parent, grandparent);
            let uncle = self.child(grandparent, side.other());
            if self.is_red(uncle) {
                self.paint(Some(parent), false);
                self.paint(uncle, false);
                self.paint(Some(grandparent), true);
                here = grandparent;
                continue;
            }
            if self.side_of(here, parent) != side {
                here = parent;
                self.rotate(here, side);
            }
            let parent = self.parent(here);
            let grandparent = parent.and_then(|parent| self.parent(parent));
            self.paint(parent, false);
            self.paint(grandparent, true);
            if let Some(grandparent) = grandparent {
                self.rotate(grandparent, side.other());
            }
        }
        self.paint(self.root, false);
    }

    /// Moves `pivot` down to `side`; its child of the other side takes its place.
    fn rotate(&mut self, pivot: usize, side: Side) {
        let Some(up) = self.child(pivot, side.other()) else { return };
        let across = self.child(up, side);
        self.set_child(pivot, side.other(), across);
        let parent = self.parent(pivot);
        match parent {
            None => {
                self.root = Some(up);
                self.set_parent(up, None);
            }
            Some(parent) => {
                let below = self.side_of(pivot, parent);
                self.set_child(parent, below, Some(up));
            }
        }
        self.set_child(up, side, Some(pivot));
    }

    fn child(&self, node: usize, side: Side) -> Option<usize> {
        let node = self.nodes.get(node)?;
        if side == Side::Left { node.left } else { node.right }
    }

    fn parent(&self, node: usize) -> Option<usize> {
        self.nodes.get(node)?.parent
    }

    fn side_of(&self, node: usize, parent: usize) -> Side {
        if self.child(parent, Side::Left) == Some(node) { Side::Left } else { Side::Right }
    }

    fn is_red(&self, node: Option<usize>) -> bool {
        node.and_then(|index| self.nodes.get(index)).is_some_and(|node| node.red)
    }

    fn paint(&mut self, node: Option<usize>, red: bool) {
        if let Some(node) = node.and_then(|index| self.nodes.get_mut(index)) {
            node.red = red;
        }
    }

    fn set_parent(&mut self, node: usize, parent: Option<usize>) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.parent = parent;
        }
    }

    fn set_child(&mut self, parent: usize, side: Side, child: Option<usize>) {
        if let Some(node) = self.nodes.get_mut(parent) {
            match side {
                Side::Left => node.left = child,
                Side::Right => node.right = child,
            }
        }
        if let Some(child) = child {
            self.set_parent(child, Some(parent));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{TreeSet, byte_set, bytes_hash_code, hash_code, hash_map};

    #[test]
    fn strings_hash_as_in_java() {
        assert_eq!(hash_code("hello"), 99_162_322);
        assert_eq!(
            hash_code("KSTREAM-SOURCE-0000000000") as i32,
            "KSTREAM-SOURCE-0000000000".bytes().fold(0_i32, |h, b| h.wrapping_mul(31).wrapping_add(i32::from(b)))
        );
        assert_eq!(hash_code(""), 0);
    }

    #[test]
    fn a_hash_map_gives_its_keys_by_bucket() {
        // Java: new HashSet<>(List.of("banana", "apple", "cherry")) prints [banana, apple, cherry].
        let order: Vec<String> = hash_map(["banana", "apple", "cherry"].map(|key| (key.to_owned(), ())))
            .into_iter()
            .map(|(key, ())| key)
            .collect();
        assert_eq!(order, ["banana", "apple", "cherry"]);
    }

    #[test]
    fn a_set_of_bytes_has_the_buckets_of_java() {
        // 31 and the signed byte.
        assert_eq!(bytes_hash_code(b"a"), 128);
        assert_eq!(bytes_hash_code(&[0x80]), (31_i32 - 128) as u32);
        let keys = |texts: [&'static str; 4]| texts.to_vec();
        // In 16 buckets: 0, 0, 15, 14. Of two in one bucket the first to come is the first.
        assert_eq!(byte_set(keys(["q", "a", "`", "_"]), 0), ["q", "a", "_", "`"]);
        // In 32 buckets, as 13 elements need them, q and a are apart.
        assert_eq!(byte_set(keys(["q", "a", "`", "_"]), 13), ["a", "q", "_", "`"]);
    }

    #[test]
    fn a_tree_set_is_sorted_as_long_as_the_order_stands() {
        let mut set = TreeSet::default();
        for element in [5, 3, 9, 1, 4, 8, 7, 2, 6, 0, 5, 3] {
            set.add(element, |a, b| a.cmp(&b));
        }
        assert_eq!(set.elements(), (0..10).collect::<Vec<_>>());
    }
}
