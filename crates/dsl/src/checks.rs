//! What settings ask of a whole topology.

use std::any::TypeId;

use headwater_store::{Logging, StoreKind};
use headwater_topology::node::StoreNode;
use headwater_topology::{Draft, TopologyError};

use crate::operator::SUBSCRIPTIONS;

const EXPLICIT: &str = "ensure.explicit.internal.resource.naming";

/// That records without keys are grouped by their key: each would be left out.
pub(crate) fn keyless<K: 'static>(node: &str) -> Option<TopologyError> {
    (TypeId::of::<K>() == TypeId::of::<()>()).then(|| {
        TopologyError::Invalid(format!(
            "{node} has no keys, and a grouping or table by key leaves out each record without one: choose a key first, with \
             `group_by` or `select_key`, or read the topic with its keys, as `stream::<Key, Value>(..)`"
        ))
    })
}

/// The internal resources with generated names, where the settings of the builder refuse them (KIP-1111).
pub(crate) fn explicit_names(draft: &Draft) -> Option<TopologyError> {
    if !draft.settings().is_on(EXPLICIT) {
        return None;
    }
    let stores = draft.named_stores();
    // The store of a foreign-key join's subscriptions does not count in Java.
    let counts = |name: &str| is_generated(name) && !name.starts_with(SUBSCRIPTIONS);
    let unnamed = |store: &&StoreNode| store.unnamed || counts(&store.spec.name);
    let generated = || stores.iter().filter(unnamed).map(|store| &store.spec);
    let logged = generated().filter(|spec| matches!(spec.logging, Logging::Enabled(_)));
    let changelogs: Vec<String> = logged.map(|spec| format!("{}-changelog", spec.name)).collect();
    // The buffer of a suppression counts by its changelog only.
    let kept = generated().filter(|spec| spec.kind != StoreKind::Suppress);
    let stores: Vec<String> = kept.map(|spec| spec.name.clone()).collect();
    // Each time that one is asked for counts, also where joins share it; those of grouped tables never do.
    let repartition = draft.unnamed_topics();
    let groups = [("changelog topic", changelogs), ("state store", stores), ("repartition topic", repartition)];
    let lines = groups.into_iter().filter(|(_, names)| !names.is_empty());
    let words: String = lines
        .map(|(what, names)| format!("Following {what}(s) has not been named: {}\n", names.join(", ")))
        .collect::<Vec<_>>()
        .concat();
    (!words.is_empty()).then_some(TopologyError::Invalid(words))
}

/// Whether a name ends as generated ones do: in ten digits, after which a join's stores have `-store` or `-Buffer`.
fn is_generated(name: &str) -> bool {
    let name = ["-store", "-Buffer"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    name.rsplit_once('-').is_some_and(|(prefix, digits)| {
        let library = ["KSTREAM-", "KTABLE-", "COGROUPKSTREAM-"].iter().any(|start| prefix.starts_with(start));
        digits.len() == 10
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && (library || prefix.ends_with("-STATE-STORE"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_names_end_in_ten_digits() {
        let generated = [
            "KSTREAM-REDUCE-STATE-STORE-0000000003",
            "t-STATE-STORE-0000000000",
            "KSTREAM-JOINTHIS-0000000008-store",
            "KSTREAM-JOIN-0000000003-Buffer",
        ];
        for name in generated {
            assert!(is_generated(name), "{name}");
        }
        for name in ["counts", "orders-0000000001", "KSTREAM-1", "my-store"] {
            assert!(!is_generated(name), "{name}");
        }
    }
}
