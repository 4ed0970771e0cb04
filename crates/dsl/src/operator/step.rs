//! A node that is one function of a record and the way out. Most operators on streams are no more than that.

use std::sync::Arc;

use headwater_record::Record;
use headwater_topology::node::NodeSpec;
use headwater_topology::{Edge, Inlet, Outlet, Port, ProcessError, Stream, TaskContext};

use crate::KStream;

type MakeStep<K, V, E> = Arc<dyn Fn(Outlet<E>) -> Box<dyn Inlet<Stream<K, V>>> + Send + Sync>;

struct Step<F, E: Edge> {
    work: Arc<F>,
    out: Outlet<E>,
}

impl<K, V, E, F> Inlet<Stream<K, V>> for Step<F, E>
where
    K: 'static,
    V: 'static,
    E: Edge,
    F: Fn(&mut TaskContext<'_>, Record<'_, K, V>, &mut Outlet<E>) -> Result<(), ProcessError>,
{
    #[inline]
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, V>) -> Result<(), ProcessError> {
        (self.work)(cx, record, &mut self.out)
    }
}

/// Adds a node below `stream` that does `work` with every record.
pub(crate) fn step<K, V, E, F>(stream: &KStream<K, V>, prefix: &str, work: F) -> Port<E>
where
    K: 'static,
    V: 'static,
    E: Edge,
    F: Fn(&mut TaskContext<'_>, Record<'_, K, V>, &mut Outlet<E>) -> Result<(), ProcessError> + Send + Sync + 'static,
{
    let work = Arc::new(work);
    attach(stream, prefix, Arc::new(move |out| Box::new(Step { work: Arc::clone(&work), out })))
}

/// Not generic over the closure, so that it is compiled once for each pair of edges.
fn attach<K: 'static, V: 'static, E: Edge>(stream: &KStream<K, V>, prefix: &str, make: MakeStep<K, V, E>) -> Port<E> {
    let draft = stream.draft();
    let name = draft.next_name(prefix);
    let node = draft.add_node(NodeSpec::processor(name, [stream.node()]));
    stream.port.listen(node, Arc::new(move |wiring| Ok(make(wiring.outlet(node)?))));
    Port::new(draft, node)
}
