//! The settings that shape a topology, and what can be wrong with them.

use std::collections::BTreeMap;

use headwater_store::RowFormat;

use crate::TopologyError;

const OPTIMIZATION: &str = "topology.optimization";
const FORMAT: &str = "dsl.store.format";
/// The settings that are on or off; the second is Kafka's own switch.
const FLAGS: [&str; 2] = ["ensure.explicit.internal.resource.naming", "__enable.process.processValue.fix__"];

/// The rules of `topology.optimization`.
const RULES: [&str; 3] = ["reuse.ktable.source.topics", "merge.repartition.topics", "single.store.self.join"];

/// Java's text, as it is: names of its constants for values.
const OPTIMIZATIONS: &str = "Acceptable values are: \"+NO_OPTIMIZATION+\", \"+OPTIMIZE+\", or a comma separated list of specific optimizations: (\"+REUSE_KTABLE_SOURCE_TOPICS+\", \"+MERGE_REPARTITION_TOPICS+\" + \"SINGLE_STORE_SELF_JOIN+\").";

/// Settings that shape a topology (Java's `TopologyConfig`), as key and value. Others of an application may be among them; they are not
/// looked at. One that is nearly of the name of one that is, is a mistake of the topology.
///
/// ```
/// use headwater::prelude::*;
/// let misspelt = TopologySettings::new().with("topology.optimisation", "all");
/// let mistake = StreamsBuilder::new().build_with(&misspelt).unwrap_err().to_string();
/// assert!(mistake.ends_with("did you mean topology.optimization?"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopologySettings {
    values: BTreeMap<String, String>,
}

impl TopologySettings {
    /// No settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// With `key` set to `value`.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.values.insert(key.into(), value.into());
        self
    }

    /// Without `key`.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.values.remove(key);
        self
    }

    /// The value of `key`.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// Whether `key` is `true`, in any case.
    pub fn is_on(&self, key: &str) -> bool {
        self.value(key).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    /// `dsl.store.format` (KIP-1285), if it is given: the word of [`RowFormat::of_setting`].
    pub fn row_format(&self) -> Option<RowFormat> {
        self.value(FORMAT).map(RowFormat::of_setting)
    }

    /// Whether `topology.optimization` asks for the optimisation `rule`.
    pub fn optimizes(&self, rule: &str) -> bool {
        let asked = self.value(OPTIMIZATION).unwrap_or("none");
        asked.split(',').map(str::trim).any(|one| one == "all" || one == rule)
    }

    /// All settings, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// What is wrong with them.
    pub fn mistakes(&self) -> Vec<TopologyError> {
        let misspelt = self.iter().filter_map(|(key, _)| {
            let meant = meant(key)?;
            Some(TopologyError::Config(format!("{key}: no such setting shapes a topology; did you mean {meant}?")))
        });
        let flags = FLAGS.into_iter().filter_map(|key| {
            let value = self.value(key)?.trim();
            let is_flag = ["true", "false"].iter().any(|flag| value.eq_ignore_ascii_case(flag));
            (!is_flag).then(|| TopologyError::Config(format!("{key}: {value:?} is not true or false")))
        });
        self.wrong_optimization().into_iter().chain(misspelt).chain(flags).collect()
    }

    fn wrong_optimization(&self) -> Option<TopologyError> {
        let given = self.value(OPTIMIZATION)?;
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
}

/// The setting that a key which is none was meant to be, perhaps.
fn meant(key: &str) -> Option<&'static str> {
    let plain = key.to_ascii_lowercase().replace('_', ".");
    let known = [OPTIMIZATION, FORMAT].into_iter().chain(FLAGS);
    let near = known.map(|name| (strsim::osa_distance(&plain, name), name)).min()?;
    // A third of the letters wrong is another word.
    (key != near.1 && near.0 * 3 < plain.len().max(near.1.len())).then_some(near.1)
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for TopologySettings {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(settings: I) -> Self {
        TopologySettings { values: settings.into_iter().map(|(key, value)| (key.into(), value.into())).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(value: &str) -> bool {
        !TopologySettings::new().with(OPTIMIZATION, value).mistakes().is_empty()
    }

    #[test]
    fn settings_that_shape_nothing_are_not_looked_at() {
        let others =
            [("application.id", "app"), ("dsl.store.suppliers.class", "in_memory"), ("commit.interval.ms", "0")];
        let shaping = [(OPTIMIZATION, "all"), (FORMAT, "headers"), (FLAGS[0], "TRUE"), (FLAGS[1], "false")];
        assert_eq!(others.into_iter().chain(shaping).collect::<TopologySettings>().mistakes(), []);
    }

    #[test]
    fn optimizations_are_none_all_or_a_list_of_known_ones() {
        assert!(!refused("none") && !refused("all"));
        assert!(!refused("merge.repartition.topics, single.store.self.join"));
        assert!(refused("none,merge.repartition.topics") && refused("some"));
    }
}
