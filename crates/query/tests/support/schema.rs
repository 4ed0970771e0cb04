//! As much of JSON Schema as the server's description uses.

use serde_json::Value;

/// What is wrong with `value`, as `schema` of `document` says.
pub fn check(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(pointer) = schema["$ref"].as_str() {
        let pointer = pointer.strip_prefix('#').unwrap();
        return check(document, document.pointer(pointer).unwrap_or_else(|| panic!("{pointer}")), value, at);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let fits = choices.iter().any(|choice| check(document, choice, value, at).is_empty());
        return if fits { Vec::new() } else { vec![format!("{at}: {value} is none of {choices:?}")] };
    }
    if let Some(values) = schema["enum"].as_array() {
        return if values.contains(value) { Vec::new() } else { vec![format!("{at}: {value} is none of {values:?}")] };
    }
    match schema["type"].as_str() {
        None => Vec::new(),
        Some("object") => object(document, schema, value, at),
        Some("array") => {
            let Some(items) = value.as_array() else { return vec![format!("{at}: {value} is no array")] };
            let each = items.iter().enumerate();
            each.flat_map(|(number, item)| check(document, &schema["items"], item, &format!("{at}[{number}]")))
                .collect()
        }
        Some(kind) => {
            let least = schema["minimum"].as_i64().unwrap_or(i64::MIN);
            let fits = match kind {
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "integer" => value.as_i64().is_some_and(|number| number >= least),
                other => panic!("{other}"),
            };
            if fits { Vec::new() } else { vec![format!("{at}: {value} is no {kind}")] }
        }
    }
}

fn object(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let Some(members) = value.as_object() else { return vec![format!("{at}: {value} is no object")] };
    let mut wrong = Vec::new();
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !members.contains_key(name) {
            wrong.push(format!("{at}: {name} is missing"));
        }
    }
    for (name, member) in members {
        match schema["properties"].get(name) {
            Some(schema) => wrong.extend(check(document, schema, member, &format!("{at}.{name}"))),
            None if schema["additionalProperties"].is_object() => {
                wrong.extend(check(document, &schema["additionalProperties"], member, &format!("{at}.{name}")));
            }
            None if schema["additionalProperties"] == false => wrong.push(format!("{at}: {name} is not described")),
            None => {}
        }
    }
    wrong
}
