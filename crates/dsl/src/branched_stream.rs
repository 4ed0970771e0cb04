//! A stream that is being split.

use std::fmt;
use std::sync::Arc;

use headwater_record::Record;
use headwater_topology::node::NodeSpec;
use headwater_topology::{BoxError, Inlet, Outlet, Port, ProcessError, Stream, TaskContext};

use crate::KStream;

/// Whether a record goes to a branch; `None` takes all that is left.
type Test<K, V> = Option<Arc<dyn Fn(&K, &V) -> Result<bool, ProcessError> + Send + Sync>>;

/// A stream that is being split into branches (Java's `BranchedKStream`): each record goes to the first branch that takes it, and
/// where no branch does it goes nowhere.
pub struct BranchedKStream<K: 'static, V: 'static> {
    stream: KStream<K, V>,
    port: Port<Stream<K, V>>,
}

struct Branches<K: 'static, V: 'static> {
    tests: Vec<Test<K, V>>,
    out: Outlet<Stream<K, V>>,
}

impl<K: 'static, V: 'static> Inlet<Stream<K, V>> for Branches<K, V> {
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, V>) -> Result<(), ProcessError> {
        for (index, test) in self.tests.iter().enumerate() {
            let taken = match test {
                Some(test) => test(record.key, record.value)?,
                None => true,
            };
            if taken {
                return self.out.push_at(index, cx, record);
            }
        }
        Ok(())
    }
}

/// Hands on what it gets: the node that a branch begins with.
struct Branch<K: 'static, V: 'static>(Outlet<Stream<K, V>>);

impl<K: 'static, V: 'static> Inlet<Stream<K, V>> for Branch<K, V> {
    #[inline]
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, V>) -> Result<(), ProcessError> {
        self.0.push(cx, record)
    }
}

impl<K: 'static, V: 'static> BranchedKStream<K, V> {
    pub(crate) fn new(stream: &KStream<K, V>) -> Self {
        let draft = stream.draft();
        let name = draft.next_name("KSTREAM-BRANCH-");
        let node = draft.add_node(NodeSpec::processor(name, [stream.node()]));
        stream.port.listen(
            node,
            Arc::new(move |wiring| {
                let tests = wiring.parts::<Test<K, V>>(node);
                Ok(Box::new(Branches { tests, out: wiring.outlet(node)? }))
            }),
        );
        BranchedKStream { stream: stream.clone(), port: Port::new(draft, node) }
    }

    /// Names the node that splits; the names of branches made afterwards begin with it (Java's `split(Named)`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let sizes = builder.stream::<String, i64>("sizes").split().named("size-");
    /// sizes.branch(|_, size| *size > 100).to("large");
    /// assert!(builder.build()?.describe().contains("Processor: size-1"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        self.port.draft().rename(self.port.node(), name);
        self
    }

    /// The records for which `takes` says so and that no earlier branch took (`BranchedKStream#branch`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let sizes = builder.stream::<String, i64>("sizes").split();
    /// sizes.branch(|_, size| *size > 100).to("large");
    /// // What is above 100 does not come here. What is 10 or less goes nowhere.
    /// sizes.branch(|_, size| *size > 10).to("medium");
    /// assert!(builder.build()?.describe().contains("Processor: KSTREAM-BRANCH-00000000012"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn branch(&self, takes: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> KStream<K, V> {
        self.try_branch(move |key, value| Ok::<_, BoxError>(takes(key, value)))
    }

    /// As [`BranchedKStream::branch`]; the branch's node is named as the splitting one, with `suffix` (Java's `Branched.as`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let sizes = builder.stream::<String, i64>("sizes").split().named("size-");
    /// sizes.branch_named("large", |_, size| *size > 100).to("large");
    /// sizes.default_branch_named("other").to("small");
    /// let text = builder.build()?.describe();
    /// assert!(text.contains("Processor: size-large") && text.contains("Processor: size-other"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn branch_named(&self, suffix: &str, takes: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> KStream<K, V> {
        self.try_branch_named(suffix, move |key, value| Ok::<_, BoxError>(takes(key, value)))
    }

    /// As [`BranchedKStream::branch`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_branch<E: Into<BoxError>>(
        &self,
        takes: impl Fn(&K, &V) -> Result<bool, E> + Send + Sync + 'static,
    ) -> KStream<K, V> {
        let number = self.port.draft().parts::<Test<K, V>>(self.port.node()).len() + 1;
        self.try_branch_named(&number.to_string(), takes)
    }

    /// As [`BranchedKStream::branch_named`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_branch_named<E: Into<BoxError>>(
        &self,
        suffix: &str,
        takes: impl Fn(&K, &V) -> Result<bool, E> + Send + Sync + 'static,
    ) -> KStream<K, V> {
        self.add(suffix, Some(Arc::new(move |key, value| takes(key, value).map_err(ProcessError::user))))
    }

    /// The records that no branch took (`BranchedKStream#defaultBranch`). No branch can follow.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let sizes = builder.stream::<String, i64>("sizes").split();
    /// sizes.branch(|_, size| *size > 100).to("large");
    /// sizes.default_branch().to("small");
    /// assert!(builder.build()?.describe().contains("Processor: KSTREAM-BRANCH-00000000010"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn default_branch(self) -> KStream<K, V> {
        self.add("0", None)
    }

    /// As [`BranchedKStream::default_branch`], named as [`BranchedKStream::branch_named`].
    #[must_use]
    pub fn default_branch_named(self, suffix: &str) -> KStream<K, V> {
        self.add(suffix, None)
    }

    fn add(&self, suffix: &str, test: Test<K, V>) -> KStream<K, V> {
        let (draft, split) = (self.port.draft(), self.port.node());
        // Java uses up a number that names nothing.
        draft.next_name("KSTREAM-BRANCH-");
        let name = draft.checked(&format!("{}{suffix}", draft.node_name(split)));
        draft.add_part::<Test<K, V>>(split, test);
        let node = draft.add_node(NodeSpec::processor(name, [split]));
        self.port.listen(node, Arc::new(move |wiring| Ok(Box::new(Branch(wiring.outlet(node)?)))));
        KStream::at(Port::new(draft, node), self.stream.serdes.clone(), self.stream.repartition)
    }
}

impl<K: 'static, V: 'static> fmt::Debug for BranchedKStream<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BranchedKStream({})", self.port.draft().node_name(self.port.node()))
    }
}
