//! Whether a value is one of its setting's.

use std::time::Duration;

use headwater_topology::node::OffsetReset;

use super::options::{Kind, Setting, Support};
use crate::assignment::HostPort;

/// What is wrong with setting `setting` to `value`, in words.
pub(super) fn check(setting: &Setting, value: &str) -> Result<(), String> {
    let fits = match setting.kind {
        Kind::Text => true,
        Kind::Name => !value.trim().is_empty(),
        Kind::Number(least, most) => value.trim().parse().is_ok_and(|number: i64| least <= number && number <= most),
        Kind::Flag => flag(value).is_some(),
        Kind::Word(words) => is_one_of(words, value.trim()),
        Kind::Words(words) => value.split(',').all(|word| is_one_of(words, word.trim())),
        Kind::HostPort => value.is_empty() || value.parse::<HostPort>().is_ok(),
        Kind::OffsetReset => offset_reset(value).is_some(),
    };
    if !fits {
        return Err(format!("{}: {value:?} is not {}", setting.key, setting.kind));
    }
    match setting.support {
        Support::OnlyDefault(reason) if !is_default(setting, value) => {
            Err(format!("{}: {value:?} is not supported: {reason}", setting.key))
        }
        _ => Ok(()),
    }
}

pub(super) fn is_default(setting: &Setting, value: &str) -> bool {
    setting.default.is_some_and(|default| default.eq_ignore_ascii_case(value.trim()))
}

fn is_one_of(words: &[&str], value: &str) -> bool {
    words.iter().any(|word| word.eq_ignore_ascii_case(value))
}

pub(super) fn flag(value: &str) -> Option<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

pub(super) fn offset_reset(value: &str) -> Option<OffsetReset> {
    let value = value.trim().to_ascii_lowercase();
    match value.as_str() {
        "earliest" => Some(OffsetReset::Earliest),
        "latest" => Some(OffsetReset::Latest),
        "none" => Some(OffsetReset::None),
        other => other.strip_prefix("by_duration:").and_then(iso_duration).map(OffsetReset::ByDuration),
    }
}

/// `PnDTnHnMnS`, as `java.time.Duration` takes it, without signs; `text` is in lower case.
fn iso_duration(text: &str) -> Option<Duration> {
    let text = text.strip_prefix('p')?;
    let (days, time) = text.split_once('t').map_or((text, None), |(days, time)| (days, Some(time)));
    if time.is_some_and(str::is_empty) || (days.is_empty() && time.is_none()) {
        return None;
    }
    let mut total = Duration::ZERO;
    if !days.is_empty() {
        total = Duration::from_secs(days.strip_suffix('d')?.parse::<u64>().ok()?.checked_mul(86_400)?);
    }
    let mut rest = time.unwrap_or_default();
    for (unit, seconds) in [('h', 3600), ('m', 60)] {
        if let Some((number, after)) = rest.split_once(unit) {
            total = total.checked_add(Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?))?;
            rest = after;
        }
    }
    if !rest.is_empty() {
        total = total.checked_add(Duration::try_from_secs_f64(rest.strip_suffix('s')?.parse().ok()?).ok()?)?;
    }
    Some(total)
}
