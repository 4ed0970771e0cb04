//! What an expression does with the value it has.

use anyhow::Result;

use super::{UserError, floor_mod, fnv1a, name_and_argument, number, remainder, unknown};
use crate::val::Val;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stage {
    // These see null.
    Constant(Val),
    Or(String),
    FailIf(String),
    // All others give null for null.
    Upper,
    Lower,
    Append(String),
    Prefix(String),
    Length,
    ToText,
    ToBytes,
    ParseLong,
    ToInt,
    ToDouble,
    Plus(i64),
    Times(i64),
    Modulo(i64),
    Half,
    NullIf(String),
    NullIfContains(String),
    NullIfGreater(i64),
    FirstChar,
    Before(String),
    After(String),
    HashModulo(i64),
    WindowKey,
    WindowStart,
    WindowEnd,
}

impl Stage {
    pub(super) fn parse(stage: &str) -> Result<Stage> {
        let (name, argument) = name_and_argument(stage);
        let argument = || argument.to_owned();
        Ok(match name {
            "const" => Stage::Constant(Val::Text(argument())),
            "long" => Stage::Constant(Val::Long(number(stage)?)),
            "null" => Stage::Constant(Val::Null),
            "or" => Stage::Or(argument()),
            "fail_if" => Stage::FailIf(argument()),
            "upper" => Stage::Upper,
            "lower" => Stage::Lower,
            "append" => Stage::Append(argument()),
            "prefix" => Stage::Prefix(argument()),
            "length" => Stage::Length,
            "to_string" => Stage::ToText,
            "to_bytes" => Stage::ToBytes,
            "parse_long" => Stage::ParseLong,
            "to_int" => Stage::ToInt,
            "to_double" => Stage::ToDouble,
            "plus" => Stage::Plus(number(stage)?),
            "times" => Stage::Times(number(stage)?),
            "mod" => Stage::Modulo(number(stage)?),
            "half" => Stage::Half,
            "null_if" => Stage::NullIf(argument()),
            "null_if_contains" => Stage::NullIfContains(argument()),
            "null_if_gt" => Stage::NullIfGreater(number(stage)?),
            "first_char" => Stage::FirstChar,
            "before" => Stage::Before(argument()),
            "after" => Stage::After(argument()),
            "hash_mod" => Stage::HashModulo(number(stage)?),
            "w_key" => Stage::WindowKey,
            "w_start" => Stage::WindowStart,
            "w_end" => Stage::WindowEnd,
            _ => return unknown("stage", stage),
        })
    }

    pub(super) fn apply(&self, value: Val) -> Result<Val, UserError> {
        match self {
            Stage::Constant(constant) => Ok(constant.clone()),
            Stage::FailIf(text) if value.show() == *text => Err(UserError(format!("failed on {text}"))),
            Stage::Or(text) if value.is_null() => Ok(Val::text(text)),
            Stage::FailIf(_) | Stage::Or(_) => Ok(value),
            _ if value.is_null() => Ok(Val::Null),
            _ => self.apply_to_some(value),
        }
    }

    /// The stages that never see null.
    fn apply_to_some(&self, value: Val) -> Result<Val, UserError> {
        let keep_unless = |gone: bool, value: Val| if gone { Val::Null } else { value };
        Ok(match self {
            Stage::ParseLong => Val::Long(value.num()?),
            Stage::ToInt => Val::Int(value.num()? as i32),
            Stage::ToDouble => Val::Double(value.num()? as f64),
            Stage::Plus(number) => Val::Long(value.num()?.wrapping_add(*number)),
            Stage::Times(number) => Val::Long(value.num()?.wrapping_mul(*number)),
            Stage::Modulo(number) => Val::Long(floor_mod(value.num()?, *number)?),
            Stage::NullIfGreater(number) => keep_unless(value.num()? > *number, value),
            Stage::NullIf(text) => keep_unless(value.show() == *text, value),
            Stage::NullIfContains(text) => keep_unless(value.show().contains(text), value),
            Stage::Half | Stage::WindowKey | Stage::WindowStart | Stage::WindowEnd => self.part(value)?,
            _ => self.of_text(&value.show())?,
        })
    }

    /// The stages for values of one type.
    fn part(&self, value: Val) -> Result<Val, UserError> {
        match (self, value) {
            (Stage::Half, Val::Double(number)) => Ok(Val::Double(number / 2.0)),
            (Stage::WindowKey, Val::Windowed { key, .. }) => Ok(*key),
            (Stage::WindowStart, Val::Windowed { start, .. }) => Ok(Val::Long(start)),
            (Stage::WindowEnd, Val::Windowed { end, .. }) => Ok(Val::Long(end)),
            (_, other) => Err(UserError(format!("{self:?} cannot take {}", other.show()))),
        }
    }

    /// The stages that work on the text form.
    fn of_text(&self, text: &str) -> Result<Val, UserError> {
        Ok(match self {
            Stage::Upper => Val::Text(text.to_ascii_uppercase()),
            Stage::Lower => Val::Text(text.to_ascii_lowercase()),
            Stage::Append(more) => Val::Text(format!("{text}{more}")),
            Stage::Prefix(more) => Val::Text(format!("{more}{text}")),
            Stage::Length => Val::Long(text.len() as i64),
            Stage::ToBytes => Val::Bytes(text.as_bytes().to_vec()),
            Stage::FirstChar => Val::Text(text.chars().take(1).collect()),
            Stage::Before(mark) => Val::text(text.split_once(mark.as_str()).map_or(text, |(before, _)| before)),
            Stage::After(mark) => Val::text(text.split_once(mark.as_str()).map_or(text, |(_, after)| after)),
            Stage::HashModulo(number) => Val::Long(remainder(fnv1a(text), *number)?),
            _ => Val::text(text),
        })
    }
}
