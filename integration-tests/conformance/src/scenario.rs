//! A scenario file: a program as data, its input, and what Java did (FORMAT.md, sections 1 and 2).

mod spec;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

pub use spec::{Logging, Spec};

use crate::literal;
use crate::outcome::Outcome;

/// One scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The file, as it was found.
    pub file: PathBuf,
    /// The behaviour that the scenario is about, in one line.
    pub title: String,
    /// Settings in the file's order, beyond the fixed ones.
    pub config: Vec<(String, String)>,
    /// The driver's wall clock at the start, in milliseconds.
    pub start_ms: i64,
    /// Whether the builder's constructor is given the settings too.
    pub topology_config: bool,
    /// Whether `build` is given the settings.
    pub build_config: bool,
    dsl: Option<Vec<Map<String, Value>>>,
    topology: Option<Vec<Map<String, Value>>>,
    /// The input; `None`: the program is only built and described.
    pub steps: Option<Vec<Step>>,
    /// What Java did; `None`: not recorded yet.
    pub expected: Option<Outcome>,
}

/// One step of the input.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The step as its file has it.
    pub shown: String,
    /// What to do.
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Pipes one record.
    Pipe(Input),
    /// Advances the driver's wall clock.
    AdvanceWallClock {
        /// By so many milliseconds.
        by_ms: i64,
    },
}

/// A record of the input.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Where to.
    pub topic: String,
    /// `None` is null.
    pub key: Option<Vec<u8>>,
    /// `None` is null.
    pub value: Option<Vec<u8>>,
    /// Milliseconds.
    pub timestamp: i64,
    /// Names with values, which may be null.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Step {
    /// A step that pipes a record.
    pub fn pipe(input: Input) -> Step {
        let (topic, at) = (&input.topic, input.timestamp);
        let [key, value] = [&input.key, &input.value].map(|bytes| bytes.as_deref().map(literal::notation));
        let shown = serde_json::json!({"pipe": topic, "key": key, "value": value, "ts": at}).to_string();
        Step { shown, action: Action::Pipe(input) }
    }
}

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or is no scenario; the message names the file.
    pub fn read(file: &Path) -> Result<Scenario> {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        Scenario::parse(file, &text).with_context(|| file.display().to_string())
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// When it is no scenario.
    pub fn parse(file: &Path, text: &str) -> Result<Scenario> {
        let Value::Object(mut fields) = serde_json::from_str(text)? else { bail!("a scenario is an object") };
        let mut take = |name: &str| fields.remove(name).filter(|value| !value.is_null());
        let scenario = Scenario {
            file: file.to_path_buf(),
            title: take("title").and_then(|title| title.as_str().map(str::to_owned)).context("`title` is missing")?,
            config: take("config").map(settings).transpose()?.unwrap_or_default(),
            start_ms: take("start_ms").map_or(Some(0), |ms| ms.as_i64()).context("`start_ms` is no number")?,
            topology_config: take("topology_config") == Some(Value::Bool(true)),
            build_config: take("build_config") != Some(Value::Bool(false)),
            dsl: take("dsl").map(statements).transpose().context("dsl")?,
            topology: take("topology").map(statements).transpose().context("topology")?,
            steps: take("steps").map(steps).transpose().context("steps")?,
            expected: take("expected").map(|value| Outcome::parse(&value)).transpose().context("expected")?,
        };
        match fields.keys().next() {
            Some(field) => bail!("unknown field `{field}`"),
            None => Ok(scenario),
        }
    }

    /// `area/name`: the file's folder and its name without the ending.
    pub fn name(&self) -> String {
        let stem = self.file.file_stem().unwrap_or_default().to_string_lossy();
        format!("{}/{stem}", self.area())
    }

    /// The file's folder.
    pub fn area(&self) -> String {
        self.file.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The value of a setting; the last one where a name repeats.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.config.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The statements for the builder; `None`: there is no builder, the topology starts empty.
    pub fn dsl(&self) -> Option<impl Iterator<Item = Spec<'_>>> {
        self.dsl.as_ref().map(|statements| statements.iter().map(Spec::new))
    }

    /// The operations on the topology.
    pub fn topology(&self) -> impl Iterator<Item = Spec<'_>> {
        self.topology.iter().flatten().map(Spec::new)
    }

    /// All statements: those of the builder, then those of the topology.
    pub fn statements(&self) -> impl Iterator<Item = Spec<'_>> {
        self.dsl.iter().chain(&self.topology).flatten().map(Spec::new)
    }
}

fn settings(value: Value) -> Result<Vec<(String, String)>> {
    let Value::Object(fields) = value else { bail!("`config` is an object") };
    let text = |(name, value): (String, Value)| match value {
        Value::String(text) => Ok((name, text)),
        other => bail!("the setting `{name}` is {other}, not text"),
    };
    fields.into_iter().map(text).collect()
}

fn statements(value: Value) -> Result<Vec<Map<String, Value>>> {
    let Value::Array(items) = value else { bail!("statements are a list") };
    let statement = |item| match item {
        Value::Object(fields) if fields.get("op").is_some_and(Value::is_string) => Ok(fields),
        other => bail!("a statement is an object with `op`, not {other}"),
    };
    items.into_iter().map(statement).collect()
}

fn steps(value: Value) -> Result<Vec<Step>> {
    let Value::Array(items) = value else { bail!("steps are a list") };
    items.into_iter().map(|item| step(&item).with_context(|| item.to_string())).collect()
}

fn step(item: &Value) -> Result<Step> {
    let shown = item.to_string();
    let null = Value::Null;
    let field = |name: &str| item.get(name).unwrap_or(&null);
    if let Some(by_ms) = field("advance_wall_clock_ms").as_i64() {
        return Ok(Step { shown, action: Action::AdvanceWallClock { by_ms } });
    }
    let header = |pair: &Value| match pair.as_array().map(Vec::as_slice) {
        Some([Value::String(name), value]) => Ok((name.clone(), literal::bytes(value)?)),
        _ => bail!("a header is a name and a literal, not {pair}"),
    };
    let input = Input {
        topic: field("pipe").as_str().context("a step pipes into a topic or advances the clock")?.to_owned(),
        key: literal::bytes(field("key"))?,
        value: literal::bytes(field("value"))?,
        timestamp: field("ts").as_i64().context("`ts` is missing")?,
        headers: field("headers").as_array().into_iter().flatten().map(header).collect::<Result<_>>()?,
    };
    Ok(Step { shown, action: Action::Pipe(input) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Scenario> {
        Scenario::parse(Path::new("scenarios/table/a.json"), text)
    }

    #[test]
    fn a_scenario_has_defaults_and_keeps_its_order() {
        let scenario = parse(
            r#"{"title": "t", "config": {"b": "1", "a": "2"}, "dsl": [{"op": "stream", "id": "s", "topic": "in"}],
                "topology": [{"op": "add_sink"}], "steps": [{"pipe": "in", "value": 1, "key": null, "ts": 3},
                {"advance_wall_clock_ms": 5}]}"#,
        )
        .unwrap();
        assert_eq!((scenario.name(), scenario.area()), ("table/a".to_owned(), "table".to_owned()));
        assert_eq!(scenario.config, [("b".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())]);
        assert_eq!((scenario.start_ms, scenario.topology_config, scenario.build_config), (0, false, true));
        assert_eq!(scenario.statements().map(|s| s.op().to_owned()).collect::<Vec<_>>(), ["stream", "add_sink"]);
        let steps = scenario.steps.unwrap();
        let input = Input {
            topic: "in".to_owned(),
            key: None,
            value: Some(vec![0, 0, 0, 0, 0, 0, 0, 1]),
            timestamp: 3,
            headers: vec![],
        };
        assert_eq!(steps[0].action, Action::Pipe(input));
        assert_eq!(steps[0].shown, r#"{"pipe":"in","value":1,"key":null,"ts":3}"#);
        assert_eq!(steps[1].action, Action::AdvanceWallClock { by_ms: 5 });
        assert!(scenario.expected.is_none());
    }

    #[test]
    fn a_field_that_the_format_does_not_have_is_refused() {
        let error = parse(r#"{"title": "t", "dls": []}"#).unwrap_err();
        assert!(error.to_string().contains("dls"), "{error}");
        assert!(parse(r#"{"dsl": []}"#).is_err());
        assert!(parse(r#"{"title": "t", "steps": [{"pipe": "in"}]}"#).is_err());
    }

    #[test]
    fn headers_may_have_no_value() {
        let text = r#"{"title": "t", "steps": [{"pipe": "in", "key": "k", "value": "v", "ts": 1,
                       "headers": [["a", "1"], ["b", null]]}]}"#;
        let Action::Pipe(input) = parse(text).unwrap().steps.unwrap().remove(0).action else { panic!("a pipe") };
        assert_eq!(input.headers, [("a".to_owned(), Some(b"1".to_vec())), ("b".to_owned(), None)]);
    }
}
