//! What a join of streams says, worked out record by record from lists.

/// The two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// Of two records of one time the right one comes first.
    Right,
    Left,
}

impl Side {
    fn other(self) -> Side {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }
}

/// Which records need no partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    Inner,
    Left,
    Outer,
}

/// Milliseconds, as the left stream has them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windows {
    pub(crate) before: i64,
    pub(crate) after: i64,
    pub(crate) grace: i64,
}

impl Windows {
    /// How much later than a record of `side` its partner may be.
    fn after(self, side: Side) -> i64 {
        if side == Side::Left { self.after } else { self.before }
    }

    fn retention(self) -> i64 {
        self.before + self.after + self.grace
    }
}

/// A record, told apart by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    pub(crate) side: Side,
    pub(crate) key: char,
    pub(crate) time: i64,
    pub(crate) number: usize,
}

/// A result: key, the numbers of both records, time.
pub(crate) type Output = (char, Option<usize>, Option<usize>, i64);

/// A join of streams.
pub(crate) struct Model {
    rows: Rows,
    windows: Windows,
    /// What is kept of each side.
    kept: Vec<Input>,
    /// The greatest time of each side's records, right and left.
    observed: [i64; 2],
    waiting: Vec<Input>,
    stream_time: i64,
    /// Where the last look at what waits ended; nobody looks again before a window that begins there has closed.
    looked_to: i64,
}

impl Model {
    pub(crate) fn new(rows: Rows, windows: Windows) -> Self {
        let (kept, waiting) = (Vec::new(), Vec::new());
        Model { rows, windows, kept, observed: [-1; 2], waiting, stream_time: -1, looked_to: i64::MIN / 2 }
    }

    /// What is said when `input` comes.
    pub(crate) fn take(&mut self, input: Input) -> Vec<Output> {
        self.stream_time = self.stream_time.max(input.time);
        let mut said = if input.time == self.stream_time { self.closed(input) } else { Vec::new() };
        let partners = self.partners(input);
        for partner in &partners {
            self.waiting.retain(|wait| (wait.side, wait.key, wait.time) != (partner.side, partner.key, partner.time));
            said.push(result(input, Some(*partner), input.time.max(partner.time)));
        }
        let alone = self.rows == Rows::Outer || self.rows == Rows::Left && input.side == Side::Left;
        if partners.is_empty() && alone {
            if (input.time + self.windows.after(input.side)).max(0) < self.stream_time {
                said.push(result(input, None, input.time));
            } else {
                self.waiting.push(input);
                self.looked_to = self.looked_to.min(input.time);
            }
        }
        self.keep(input);
        said
    }

    /// What waits and can find no partner any more, in the order of times, sides and keys.
    fn closed(&mut self, input: Input) -> Vec<Output> {
        let is_open = |time: i64, side: Side| time + self.windows.after(side) + self.windows.grace >= self.stream_time;
        if is_open(self.looked_to, input.side) {
            return Vec::new();
        }
        self.looked_to = i64::MAX / 2;
        // Of equal ones the first comes first.
        self.waiting.sort_by_key(|wait| (wait.time, wait.side, wait.key));
        let (mut open_sides, mut closed) = (Vec::new(), Vec::new());
        for wait in &self.waiting {
            self.looked_to = wait.time;
            if open_sides.contains(&Side::Left) && open_sides.contains(&Side::Right) {
                break;
            }
            if is_open(wait.time, wait.side) { open_sides.push(wait.side) } else { closed.push(*wait) }
        }
        self.waiting.retain(|wait| !closed.contains(wait));
        closed.into_iter().map(|wait| result(wait, None, wait.time)).collect()
    }

    /// The records of the other side in the window of `input`, as far as they are not forgotten.
    fn partners(&self, input: Input) -> Vec<Input> {
        let from = (input.time - self.windows.after(input.side.other())).max(0);
        let to = (input.time + self.windows.after(input.side)).max(0);
        let mut partners: Vec<Input> = self
            .kept
            .iter()
            .filter(|kept| kept.side != input.side && kept.key == input.key && (from..=to).contains(&kept.time))
            .filter(|kept| self.remembers(**kept))
            .copied()
            .collect();
        partners.sort_by_key(|kept| kept.time);
        partners
    }

    fn keep(&mut self, input: Input) {
        let observed = &mut self.observed[input.side as usize];
        *observed = input.time.max(*observed);
        if self.remembers(input) {
            self.kept.push(input);
        }
    }

    fn remembers(&self, kept: Input) -> bool {
        kept.time > self.observed[kept.side as usize] - self.windows.retention()
    }
}

fn result(one: Input, other: Option<Input>, time: i64) -> Output {
    let (own, other) = (Some(one.number), other.map(|other| other.number));
    match one.side {
        Side::Left => (one.key, own, other, time),
        Side::Right => (one.key, other, own, time),
    }
}
