//! What stands around every processor of a topology.

use std::sync::Arc;

use crate::{Edge, Inlet, ProcessError, TaskContext};

/// Stands around every processor of a topology, those of the DSL included, but not around sources and sinks (Java's
/// `ProcessorWrapper`, KIP-1112): to measure, to trace, to leave records out, to make processors fail in a test.
///
/// Java's wraps the suppliers of processors; here a node's types are its own, and the wrapper sees each record on its way into
/// one. Give it to `TopologyBuilder::wrap_processors` or `StreamsBuilder::wrap_processors`.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use headwater::processor::ProcessorWrapper;
/// use headwater::processor::{ProcessError, TaskContext, TopologyBuilder};
///
/// #[derive(Default)]
/// struct Counting(AtomicU64);
///
/// impl ProcessorWrapper for Counting {
///     fn process(
///         &self,
///         _node: &str,
///         cx: &mut TaskContext<'_>,
///         process: &mut dyn FnMut(&mut TaskContext<'_>) -> Result<(), ProcessError>,
///     ) -> Result<(), ProcessError> {
///         self.0.fetch_add(1, Ordering::Relaxed);
///         process(cx)
///     }
/// }
///
/// let counting = Arc::new(Counting::default());
/// TopologyBuilder::new().wrap_processors(counting.clone());
/// assert_eq!(counting.0.load(Ordering::Relaxed), 0, "nothing runs yet");
/// ```
pub trait ProcessorWrapper: Send + Sync + 'static {
    /// A record has come to the node `node`, which gets it when `process` is called: once, or not at all to leave it out. What the
    /// record is, as far as it does not depend on types, is in `cx`.
    ///
    /// # Errors
    /// Those of `process`, and the wrapper's own: the processing exception handler decides.
    fn process(
        &self,
        node: &str,
        cx: &mut TaskContext<'_>,
        process: &mut dyn FnMut(&mut TaskContext<'_>) -> Result<(), ProcessError>,
    ) -> Result<(), ProcessError>;
}

/// A node with its wrapper.
pub(crate) struct Wrapped<E: Edge> {
    pub(crate) node: Arc<str>,
    pub(crate) wrapper: Arc<dyn ProcessorWrapper>,
    pub(crate) inner: Box<dyn Inlet<E>>,
}

impl<E: Edge> Inlet<E> for Wrapped<E> {
    fn push(&mut self, cx: &mut TaskContext<'_>, item: E::Item<'_>) -> Result<(), ProcessError> {
        let inner = &mut self.inner;
        self.wrapper.process(&self.node, cx, &mut |cx| inner.push(cx, item))
    }
}
