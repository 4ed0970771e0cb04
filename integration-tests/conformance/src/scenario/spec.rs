//! Typed access to the fields of a statement or option.

use anyhow::{Context, Result};
use serde_json::{Map, Value};

/// A statement, an option object, a store or a processor. A field that is null counts as absent, as for the oracle.
#[derive(Clone, Copy, Debug)]
pub struct Spec<'a>(&'a Map<String, Value>);

impl<'a> Spec<'a> {
    /// The fields of an object.
    pub fn new(fields: &'a Map<String, Value>) -> Spec<'a> {
        Spec(fields)
    }

    fn field(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// Whether the field is there.
    pub fn has(self, name: &str) -> bool {
        self.field(name).is_some()
    }

    /// The statement's operator; empty for options.
    pub fn op(self) -> &'a str {
        self.text("op").unwrap_or_default()
    }

    /// The field's text.
    pub fn text(self, name: &str) -> Option<&'a str> {
        self.field(name).and_then(Value::as_str)
    }

    /// The field's text.
    ///
    /// # Errors
    /// When there is none.
    pub fn need(self, name: &str) -> Result<&'a str> {
        self.text(name).with_context(|| format!("`{name}` is missing in {self}"))
    }

    /// The field's number, where numbers of milliseconds end in `_ms`.
    pub fn number(self, name: &str) -> Option<i64> {
        self.field(name).and_then(Value::as_i64)
    }

    /// The field's number.
    ///
    /// # Errors
    /// When there is none.
    pub fn need_number(self, name: &str) -> Result<i64> {
        self.number(name).with_context(|| format!("`{name}` is missing in {self}"))
    }

    /// The field's truth value; `None` when it is absent or something else.
    pub fn flag(self, name: &str) -> Option<bool> {
        self.field(name).and_then(Value::as_bool)
    }

    /// Whether the field is `true`.
    pub fn is(self, name: &str) -> bool {
        self.flag(name) == Some(true)
    }

    /// The field's object.
    pub fn object(self, name: &str) -> Option<Spec<'a>> {
        self.field(name).and_then(Value::as_object).map(Spec)
    }

    /// The field's object.
    ///
    /// # Errors
    /// When there is none.
    pub fn need_object(self, name: &str) -> Result<Spec<'a>> {
        self.object(name).with_context(|| format!("`{name}` is missing in {self}"))
    }

    /// The field's list of objects; empty when absent.
    pub fn objects(self, name: &str) -> impl Iterator<Item = Spec<'a>> {
        self.field(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object).map(Spec)
    }

    /// The field's list of texts; empty when absent.
    pub fn texts(self, name: &str) -> Vec<&'a str> {
        self.field(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The field as it is.
    pub fn raw(self, name: &str) -> Option<&'a Value> {
        self.field(name)
    }

    /// All fields with text values, in order: topic settings.
    pub fn settings(self) -> Vec<(&'a str, &'a str)> {
        self.0.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect()
    }

    /// The field `logging`: absent, off, or on with topic settings (perhaps none).
    pub fn logging(self) -> Logging<'a> {
        match self.field("logging") {
            None => Logging::NotGiven,
            Some(Value::Bool(false)) => Logging::Disabled,
            Some(Value::Object(fields)) => Logging::Enabled(Spec(fields).settings()),
            Some(_) => Logging::Enabled(Vec::new()),
        }
    }
}

impl std::fmt::Display for Spec<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match serde_json::to_string(self.0) {
            Ok(text) => out.write_str(&text),
            Err(_) => Err(std::fmt::Error),
        }
    }
}

/// What a statement says about a store's changelog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Logging<'a> {
    /// Nothing: no method is called.
    NotGiven,
    /// `withLoggingDisabled`.
    Disabled,
    /// `withLoggingEnabled` with topic settings.
    Enabled(Vec<(&'a str, &'a str)>),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_counts_as_absent() {
        let value = json!({"op": "count", "named": null, "materialized": {"store": "s", "caching": false}});
        let spec = Spec::new(value.as_object().unwrap());
        assert!(!spec.has("named") && spec.has("materialized"));
        assert_eq!(spec.op(), "count");
        let materialized = spec.need_object("materialized").unwrap();
        assert_eq!((materialized.text("store"), materialized.flag("caching")), (Some("s"), Some(false)));
        assert!(!materialized.is("caching"));
        let error = spec.need("key").unwrap_err().to_string();
        assert!(error.starts_with("`key` is missing in {\"op\":\"count\""), "{error}");
    }

    #[test]
    fn logging_is_absent_off_or_a_list_of_settings() {
        let of = |value: Value| {
            let fields = json!({ "logging": value });
            format!("{:?}", Spec::new(fields.as_object().unwrap()).logging())
        };
        assert_eq!(of(json!(null)), "NotGiven");
        assert_eq!(of(json!(false)), "Disabled");
        assert_eq!(of(json!(true)), "Enabled([])");
        assert_eq!(of(json!({"b": "1", "a": "2"})), r#"Enabled([("b", "1"), ("a", "2")])"#);
    }
}
