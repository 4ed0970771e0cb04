//! Java's `PriorityQueue`, mechanics included.
//!
//! Kafka Streams keeps partitions and punctuations in queues ordered by a timestamp alone, and tasks that are to move by how urgent they
//! are, so that the order of equals is whatever the binary heap makes of it. To take them in the same order, the heap must move its
//! elements as Java's does, which `std::collections::BinaryHeap` does not promise.

/// A binary heap with the least key first, moving elements exactly as `java.util.PriorityQueue` does.
#[derive(Clone, Debug)]
pub struct PriorityQueue<T, K = i64> {
    heap: Vec<(K, T)>,
}

impl<T, K> Default for PriorityQueue<T, K> {
    fn default() -> Self {
        PriorityQueue { heap: Vec::new() }
    }
}

impl<T, K: Copy + Ord> PriorityQueue<T, K> {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// The element with the least key.
    pub fn peek(&self) -> Option<(K, &T)> {
        self.heap.first().map(|(key, element)| (*key, element))
    }

    /// All elements, in no order worth relying on.
    pub fn iter(&self) -> impl Iterator<Item = (K, &T)> {
        self.heap.iter().map(|(key, element)| (*key, element))
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.heap.clear();
    }

    /// Adds `element` under `key` (Java's `offer`).
    pub fn push(&mut self, key: K, element: T) {
        self.heap.push((key, element));
        let mut at = self.heap.len() - 1;
        while at > 0 {
            let parent = (at - 1) / 2;
            if self.key(at) >= self.key(parent) {
                break;
            }
            self.heap.swap(at, parent);
            at = parent;
        }
    }

    /// Removes the element with the least key (Java's `poll`).
    pub fn pop(&mut self) -> Option<(K, T)> {
        if self.heap.is_empty() {
            return None;
        }
        let least = self.heap.swap_remove(0);
        let half = self.heap.len() / 2;
        let mut at = 0;
        while at < half {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            let child = if right < self.heap.len() && self.key(left) > self.key(right) { right } else { left };
            if self.key(at) <= self.key(child) {
                break;
            }
            self.heap.swap(at, child);
            at = child;
        }
        Some(least)
    }

    fn key(&self, index: usize) -> Option<K> {
        self.heap.get(index).map(|(key, _)| *key)
    }
}

#[cfg(test)]
mod tests {
    use super::PriorityQueue;

    #[test]
    fn equal_keys_come_in_the_order_of_javas_heap() {
        let mut queue: PriorityQueue<usize> = PriorityQueue::new();
        for (n, key) in [5, 5, 5, 1, 5].into_iter().enumerate() {
            queue.push(key, n);
        }
        let order: Vec<usize> = std::iter::from_fn(|| queue.pop()).map(|(_, n)| n).collect();
        // As `java.util.PriorityQueue` does: the last element goes to the top and stays there among equals.
        assert_eq!(order, [3, 4, 1, 2, 0]);
    }
}
