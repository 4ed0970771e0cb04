//! The order in which Java's `PriorityQueue` gives what it was given: of equals not that in which they came.

/// `items`, as they are taken from a queue to which all were added before, by what `rank` says of each.
pub(super) fn in_order<T, K: Ord>(items: impl IntoIterator<Item = T>, rank: impl Fn(&T) -> K) -> Vec<T> {
    let mut heap: Vec<T> = Vec::new();
    for item in items {
        heap.push(item);
        rise(&mut heap, &rank);
    }
    let mut taken = Vec::with_capacity(heap.len());
    while !heap.is_empty() {
        taken.push(heap.swap_remove(0));
        sink(&mut heap, &rank);
    }
    taken
}

/// The last one goes up past whatever comes after it.
fn rise<T, K: Ord>(heap: &mut [T], rank: impl Fn(&T) -> K) {
    let mut at = heap.len().saturating_sub(1);
    while at > 0 {
        let parent = (at - 1) / 2;
        if heap.get(at).map(&rank) >= heap.get(parent).map(&rank) {
            break;
        }
        heap.swap(at, parent);
        at = parent;
    }
}

/// The first one goes down past whatever comes before it.
fn sink<T, K: Ord>(heap: &mut [T], rank: impl Fn(&T) -> K) {
    let mut at = 0;
    while 2 * at + 1 < heap.len() {
        let (left, right) = (2 * at + 1, 2 * at + 2);
        let is_right = right < heap.len() && heap.get(left).map(&rank) > heap.get(right).map(&rank);
        let child = if is_right { right } else { left };
        if heap.get(at).map(&rank) <= heap.get(child).map(&rank) {
            break;
        }
        heap.swap(at, child);
        at = child;
    }
}

#[cfg(test)]
mod tests {
    use super::in_order;

    #[test]
    fn what_is_first_comes_first_and_equals_come_as_from_a_heap() {
        let ranks = |items: &[(u8, char)]| in_order(items.iter().copied(), |(rank, _)| *rank);
        assert_eq!(ranks(&[(3, 'a'), (1, 'b'), (2, 'c')]), [(1, 'b'), (2, 'c'), (3, 'a')]);
        // As a program in Java says of java.util.PriorityQueue.
        let equals: String =
            ranks(&[(1, 'a'), (1, 'b'), (1, 'c'), (1, 'd')]).into_iter().map(|(_, name)| name).collect();
        assert_eq!(equals, "adcb");
        assert!(ranks(&[]).is_empty());
    }
}
