//! The one value type of every scenario.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::expr::UserError;

/// A key or value of a scenario's program: what FORMAT.md calls a value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Val {
    /// Java's null.
    #[default]
    Null,
    /// `String`.
    Text(String),
    /// `Long`.
    Long(i64),
    /// `Integer`.
    Int(i32),
    /// `Double`.
    Double(f64),
    /// `Bytes`.
    Bytes(Vec<u8>),
    /// `Windowed<K>`.
    Windowed {
        /// The key inside the window.
        key: Box<Val>,
        /// First millisecond of the window.
        start: i64,
        /// End of the window in milliseconds, as the window's kind counts it.
        end: i64,
    },
}

impl Val {
    /// A text value.
    pub fn text(text: impl Into<String>) -> Val {
        Val::Text(text.into())
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Val::Null)
    }

    /// Whether this is null or the empty text: what folds treat as nothing yet.
    pub fn is_blank(&self) -> bool {
        match self {
            Val::Null => true,
            Val::Text(text) => text.is_empty(),
            _ => false,
        }
    }

    /// The text form, FORMAT.md's `show(x)`.
    pub fn show(&self) -> String {
        match self {
            Val::Null => "null".to_owned(),
            Val::Text(text) => text.clone(),
            Val::Long(number) => number.to_string(),
            Val::Int(number) => number.to_string(),
            Val::Double(number) => show_double(*number),
            Val::Bytes(bytes) => format!("0x{}", hex(bytes)),
            Val::Windowed { key, start, end } => format!("[{}@{start}/{end}]", key.show()),
        }
    }

    /// The number, FORMAT.md's `num(x)`.
    ///
    /// # Errors
    /// `not a number: X` for what does not read as a whole number of at most 18 digits.
    pub fn num(&self) -> Result<i64, UserError> {
        match self {
            Val::Null => Ok(0),
            Val::Long(number) => Ok(*number),
            Val::Int(number) => Ok(i64::from(*number)),
            other => {
                let text = other.show();
                whole_number(&text).ok_or_else(|| UserError(format!("not a number: {text}")))
            }
        }
    }

    /// As a store's contents are recorded: text, whole numbers and null as in JSON, other types in an object.
    pub fn typed(&self) -> Value {
        match self {
            Val::Null => Value::Null,
            Val::Text(text) => json!(text),
            Val::Long(number) => json!(number),
            Val::Int(number) => json!({ "int": number }),
            Val::Double(number) => json!({ "double": number }),
            Val::Bytes(bytes) => json!({ "hex": hex(bytes) }),
            Val::Windowed { .. } => json!({ "show": self.show() }),
        }
    }
}

/// The number that a text matching `-?[0-9]{1,18}` means.
pub fn whole_number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let matches = (1..=18).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if matches { text.parse().ok() } else { None }
}

/// Bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `Double.toString` of Java: decimal from a thousandth up to ten millions, else `1.0E10`.
impl std::fmt::Display for Val {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.show())
    }
}

fn show_double(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let size = number.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{number:?}");
    }
    let text = format!("{number:E}");
    match text.split_once('E') {
        Some((digits, power)) if !digits.contains('.') => format!("{digits}.0E{power}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_the_text_form_of_the_format() {
        let windowed = Val::Windowed { key: Box::new(Val::text("a")), start: 10, end: 20 };
        let nested = Val::Windowed { key: Box::new(windowed.clone()), start: 0, end: 5 };
        let shown = [
            (Val::Null, "null"),
            (Val::text(""), ""),
            (Val::Long(i64::MIN), "-9223372036854775808"),
            (Val::Int(-7), "-7"),
            (Val::Bytes(vec![0, 255, 16]), "0x00ff10"),
            (windowed, "[a@10/20]"),
            (nested, "[[a@10/20]@0/5]"),
        ];
        for (value, text) in shown {
            assert_eq!(value.show(), text);
        }
    }

    #[test]
    fn doubles_print_as_java_prints_them() {
        let shown = [
            (3.5, "3.5"),
            (-0.5, "-0.5"),
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (9_999_999.0, "9999999.0"),
            (10_000_000.0, "1.0E7"),
            (1.25e20, "1.25E20"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (number, text) in shown {
            assert_eq!(Val::Double(number).show(), text);
        }
    }

    #[test]
    fn a_number_is_read_from_integers_null_and_short_digits_only() {
        assert_eq!(Val::Null.num(), Ok(0));
        assert_eq!(Val::Int(-3).num(), Ok(-3));
        assert_eq!(Val::Long(i64::MAX).num(), Ok(i64::MAX));
        assert_eq!(Val::text("-012").num(), Ok(-12));
        assert_eq!(Val::text("999999999999999999").num(), Ok(999_999_999_999_999_999));
        for text in ["", "-", "+1", "1.0", "1234567890123456789", "a", "1 "] {
            assert_eq!(Val::text(text).num(), Err(UserError(format!("not a number: {text}"))));
        }
        assert_eq!(Val::Double(3.0).num(), Err(UserError("not a number: 3.0".to_owned())));
    }

    #[test]
    fn stores_record_the_type_where_json_has_no_own_form() {
        assert_eq!(Val::Null.typed(), Value::Null);
        assert_eq!(Val::Long(4).typed(), json!(4));
        assert_eq!(Val::Int(4).typed(), json!({"int": 4}));
        assert_eq!(Val::Double(1.5).typed(), json!({"double": 1.5}));
        assert_eq!(Val::Bytes(vec![1]).typed(), json!({"hex": "01"}));
        let windowed = Val::Windowed { key: Box::new(Val::text("k")), start: 1, end: 2 };
        assert_eq!(windowed.typed(), json!({"show": "[k@1/2]"}));
    }
}
