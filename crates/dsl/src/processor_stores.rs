//! The stores of a processor: those that are there already, by their names, or those that it brings.

use headwater_store::StoreSpec;
use headwater_topology::{Draft, NodeId, TopologyError};

/// The stores that a processor has: the names of stores that were added, or stores that it brings itself, which are then added with it
/// (Java's `ConnectedStoreProvider`, KIP-401). Several processors may bring the same store, and share it.
///
/// ```
/// use headwater::dsl::ProcessorStores;
/// use headwater::prelude::*;
/// use headwater::processor::prelude::*;
///
/// /// Hands on the first record of each key.
/// struct First(Rc<KeyValueState<String, i64>>);
///
/// impl First {
///     /// What makes it, and what it needs: those who use it know nothing of its store.
///     fn supplier() -> (impl Fn(&mut StoreAccess<'_, '_>) -> Result<First, WiringError>, impl ProcessorStores) {
///         (|stores: &mut StoreAccess<'_, '_>| Ok(First(stores.key_value(&StoreHandle::named("seen"))?)), [StoreSpec::key_value("seen")])
///     }
/// }
///
/// impl Processor<String, i64, String, i64> for First {
///     fn process(
///         &mut self,
///         cx: &mut ProcessorContext<'_, '_, String, i64>,
///         record: Record<'_, String, i64>,
///     ) -> Result<(), ProcessError> {
///         if self.0.value(cx, record.key)?.is_some() {
///             return Ok(());
///         }
///         self.0.put_at(cx, record.key, *record.value, &record)?;
///         cx.forward(record)
///     }
/// }
/// # use headwater::processor::WiringError;
///
/// let builder = StreamsBuilder::new();
/// let (first, stores) = First::supplier();
/// builder.stream::<String, i64>("in").process(first, stores).to("firsts");
/// assert!(builder.build()?.describe().contains("KSTREAM-PROCESSOR-0000000001 (stores: [seen])"));
/// # Ok::<(), headwater::processor::TopologyErrors>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "these are no stores of a processor",
    note = "give names of stores that were added, `&[\"seen\"]`, or stores that it brings, `[StoreSpec::key_value(\"seen\")]`"
)]
pub trait ProcessorStores {
    /// Connects them to the processor at `node`.
    #[doc(hidden)]
    fn connect_to(self, draft: &Draft, node: NodeId);
}

impl ProcessorStores for &[&str] {
    fn connect_to(self, draft: &Draft, node: NodeId) {
        for name in self {
            match draft.store_named(name) {
                Some(store) => draft.connect(node, store),
                None => draft.mistake(TopologyError::Invalid(draft.no_store_yet(name))),
            }
        }
    }
}

impl<const N: usize> ProcessorStores for &[&str; N] {
    fn connect_to(self, draft: &Draft, node: NodeId) {
        self.as_slice().connect_to(draft, node);
    }
}

impl ProcessorStores for &Vec<&str> {
    fn connect_to(self, draft: &Draft, node: NodeId) {
        self.as_slice().connect_to(draft, node);
    }
}

impl<const N: usize> ProcessorStores for [StoreSpec; N] {
    fn connect_to(self, draft: &Draft, node: NodeId) {
        Vec::from(self).connect_to(draft, node);
    }
}

impl ProcessorStores for Vec<StoreSpec> {
    fn connect_to(self, draft: &Draft, node: NodeId) {
        for spec in self {
            let store = draft.bring_store(spec);
            draft.connect(node, store);
        }
    }
}
