//! Bytes as scenarios write them: literals of the input, and the notation of what was recorded.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::val::hex;

/// The bytes of an input literal (FORMAT.md, section 2); `None` is no bytes at all.
///
/// # Errors
/// When the value is none of the literals.
pub fn bytes(literal: &Value) -> Result<Option<Vec<u8>>> {
    let found = match literal {
        Value::Null => return Ok(None),
        Value::String(text) => text.as_bytes().to_vec(),
        Value::Number(number) => {
            number.as_i64().with_context(|| format!("not a 64-bit integer: {literal}"))?.to_be_bytes().to_vec()
        }
        Value::Object(fields) => {
            if let Some(text) = fields.get("hex").and_then(Value::as_str) {
                unhex(text).with_context(|| format!("not hex: {literal}"))?
            } else if let Some(number) = fields.get("int").and_then(Value::as_i64) {
                i32::try_from(number)
                    .with_context(|| format!("not a 32-bit integer: {literal}"))?
                    .to_be_bytes()
                    .to_vec()
            } else if let Some(number) = fields.get("double").and_then(Value::as_f64) {
                number.to_be_bytes().to_vec()
            } else {
                bail!("bad literal: {literal}")
            }
        }
        Value::Bool(_) | Value::Array(_) => bail!("bad literal: {literal}"),
    };
    Ok(Some(found))
}

/// The notation of recorded bytes (FORMAT.md, section 3): `'` and the text when every byte is printable ASCII, else `0x`
/// and hex.
pub fn notation(bytes: &[u8]) -> String {
    if bytes.iter().all(|byte| (0x20..=0x7e).contains(byte)) {
        let mut text = String::with_capacity(bytes.len() + 1);
        text.push('\'');
        text.extend(bytes.iter().map(|byte| char::from(*byte)));
        text
    } else {
        format!("0x{}", hex(bytes))
    }
}

/// The bytes of hex digits; `None` for anything else.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn literals_give_bytes_without_a_serde() {
        let cases = [
            (json!(null), None),
            (json!(""), Some(vec![])),
            (json!("aé"), Some(vec![0x61, 0xc3, 0xa9])),
            (json!(-2), Some(vec![255, 255, 255, 255, 255, 255, 255, 254])),
            (json!({"int": 258}), Some(vec![0, 0, 1, 2])),
            (json!({"double": 1.0}), Some(vec![0x3f, 0xf0, 0, 0, 0, 0, 0, 0])),
            (json!({"double": 1}), Some(vec![0x3f, 0xf0, 0, 0, 0, 0, 0, 0])),
            (json!({"hex": "00ff"}), Some(vec![0, 255])),
            (json!({"hex": ""}), Some(vec![])),
        ];
        for (literal, expected) in cases {
            assert_eq!(bytes(&literal).unwrap(), expected, "{literal}");
        }
    }

    #[test]
    fn what_is_no_literal_is_refused_by_name() {
        for literal in [json!(1.5), json!(true), json!([1]), json!({"hex": "0"}), json!({"hex": "zz"}), json!({"x": 1})]
        {
            let error = bytes(&literal).unwrap_err();
            assert!(error.to_string().contains(&literal.to_string()), "{error}");
        }
    }

    #[test]
    fn recorded_bytes_are_text_when_all_of_them_print() {
        assert_eq!(notation(b""), "'");
        assert_eq!(notation(b"a ~'"), "'a ~'");
        assert_eq!(notation(b"0x00"), "'0x00");
        assert_eq!(notation(b"a\x7f"), "0x617f");
        assert_eq!(notation(&[0x1f]), "0x1f");
        assert_eq!(notation("é".as_bytes()), "0xc3a9");
    }
}
