//! What settings ask of a whole topology.

use std::any::TypeId;

use headwater_store::{Logging, StoreKind};
use headwater_topology::node::StoreNode;
use headwater_topology::{Draft, TopologyError, TopologySettings};

use crate::operator::SUBSCRIPTIONS;

const EXPLICIT: &str = "ensure.explicit.internal.resource.naming";
const OPTIMIZATION: &str = "topology.optimization";
/// Kafka's own switch.
pub(crate) const PROCESS: &str = "__enable.process.processValue.fix__";

/// The settings that shape a topology.
const SETTINGS: [&str; 4] = [OPTIMIZATION, EXPLICIT, "dsl.store.format", PROCESS];

/// The rules of `topology.optimization`.
const RULES: [&str; 3] = ["reuse.ktable.source.topics", "merge.repartition.topics", "single.store.self.join"];

/// Java's text, as it is: names of its constants for values.
const OPTIMIZATIONS: &str = "Acceptable values are: \"+NO_OPTIMIZATION+\", \"+OPTIMIZE+\", or a comma separated list of specific optimizations: (\"+REUSE_KTABLE_SOURCE_TOPICS+\", \"+MERGE_REPARTITION_TOPICS+\" + \"SINGLE_STORE_SELF_JOIN+\").";

/// That records without keys are grouped by their key: each would be left out.
pub(crate) fn keyless<K: 'static>(node: &str) -> Option<TopologyError> {
    (TypeId::of::<K>() == TypeId::of::<()>()).then(|| {
        TopologyError::Invalid(format!(
            "{node} has no keys, and a grouping or table by key leaves out each record without one: choose a key first, with \
             `group_by` or `select_key`, or read the topic with its keys, as `stream::<Key, Value>(..)`"
        ))
    })
}

/// What is wrong with the settings of a build. Those that shape nothing are not looked at, as in Java, which is given all of an
/// application's here.
pub(crate) fn settings(settings: &TopologySettings) -> Vec<TopologyError> {
    let misspelt = settings.iter().filter_map(|(key, _)| {
        let meant = meant(key)?;
        Some(TopologyError::Config(format!("{key}: no such setting shapes a topology; did you mean {meant}?")))
    });
    let flags = [EXPLICIT, PROCESS].into_iter().filter_map(|key| {
        let value = settings.value(key)?.trim();
        let is_flag = ["true", "false"].iter().any(|flag| value.eq_ignore_ascii_case(flag));
        (!is_flag).then(|| TopologyError::Config(format!("{key}: {value:?} is not true or false")))
    });
    optimization(settings).into_iter().chain(misspelt).chain(flags).collect()
}

/// The setting that a key which is none was meant to be, perhaps.
fn meant(key: &str) -> Option<&'static str> {
    let plain = key.to_ascii_lowercase().replace('_', ".");
    let near = SETTINGS.into_iter().map(|name| (strsim::osa_distance(&plain, name), name)).min()?;
    // A third of the letters wrong is another word.
    (key != near.1 && near.0 * 3 < plain.len().max(near.1.len())).then_some(near.1)
}

/// What is wrong with `topology.optimization`, if it is given.
fn optimization(settings: &TopologySettings) -> Option<TopologyError> {
    let given = settings.value(OPTIMIZATION)?;
    let names: Vec<&str> = given.split(',').map(str::trim).collect();
    let is_whole = |name: &&str| ["none", "all"].contains(name);
    let java = if names.len() > 1 && names.iter().any(is_whole) {
        format!("\"{given}\" is not a valid optimization config.")
    } else if names.iter().any(|name| !is_whole(name) && !RULES.contains(name)) {
        "Unrecognized config.".to_owned()
    } else {
        return None;
    };
    Some(TopologyError::Config(format!(
        "{java} {OPTIMIZATIONS} So {OPTIMIZATION} is none, all, or some of {}, separated by commas, and not {given:?}",
        RULES.join(", ")
    )))
}

/// The internal resources with generated names, where the settings of the builder refuse them (KIP-1111).
pub(crate) fn explicit_names(draft: &Draft) -> Option<TopologyError> {
    draft.settings().value(EXPLICIT).filter(|value| value.eq_ignore_ascii_case("true"))?;
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
    let mut repartition = draft.repartition_topics();
    repartition.retain(|topic| topic.strip_suffix("-repartition").is_some_and(is_generated));
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

    fn refused(value: &str) -> bool {
        optimization(&TopologySettings::new().with(OPTIMIZATION, value)).is_some()
    }

    #[test]
    fn settings_that_shape_nothing_are_not_looked_at() {
        let whole =
            [("application.id", "app"), ("dsl.store.suppliers.class", "in_memory"), ("commit.interval.ms", "0")];
        assert_eq!(settings(&whole.into_iter().collect()), []);
        assert_eq!(settings(&SETTINGS.into_iter().zip(["all", "true", "headers", "false"]).collect()), []);
    }

    #[test]
    fn optimizations_are_none_all_or_a_list_of_known_ones() {
        assert!(!refused("none") && !refused("all"));
        assert!(!refused("merge.repartition.topics, single.store.self.join"));
        assert!(refused("none,merge.repartition.topics") && refused("some"));
        assert!(optimization(&TopologySettings::new()).is_none());
    }

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
