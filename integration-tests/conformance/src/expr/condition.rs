//! The last stage of a predicate.

use anyhow::{Context, Result};

use super::{UserError, floor_mod, fnv1a, name_and_argument, number, remainder, unknown};
use crate::val::Val;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    // These see null.
    Always,
    Never,
    IsNull,
    NotNull,
    // All others are false for null.
    Equals(String),
    StartsWith(String),
    Contains(String),
    Longer(i64),
    Greater(i64),
    Less(i64),
    Even,
    HashModulo { of: i64, is: i64 },
}

impl Condition {
    pub(super) fn parse(stage: &str) -> Result<Condition> {
        let (name, argument) = name_and_argument(stage);
        Ok(match name {
            "always" => Condition::Always,
            "never" => Condition::Never,
            "is_null" => Condition::IsNull,
            "not_null" => Condition::NotNull,
            "equals" => Condition::Equals(argument.to_owned()),
            "starts_with" => Condition::StartsWith(argument.to_owned()),
            "contains" => Condition::Contains(argument.to_owned()),
            "len_gt" => Condition::Longer(number(stage)?),
            "gt" => Condition::Greater(number(stage)?),
            "lt" => Condition::Less(number(stage)?),
            "even" => Condition::Even,
            "hash_mod" => {
                let needs = || format!("`{stage}` needs `N,R`");
                let (of, is) = argument.split_once(',').with_context(needs)?;
                Condition::HashModulo { of: of.parse().with_context(needs)?, is: is.parse().with_context(needs)? }
            }
            _ => return unknown("condition", stage),
        })
    }

    pub(super) fn holds(&self, value: &Val) -> Result<bool, UserError> {
        match self {
            Condition::Always => return Ok(true),
            Condition::Never => return Ok(false),
            Condition::IsNull => return Ok(value.is_null()),
            Condition::NotNull => return Ok(!value.is_null()),
            _ if value.is_null() => return Ok(false),
            _ => {}
        }
        Ok(match self {
            Condition::Equals(text) => value.show() == *text,
            Condition::StartsWith(text) => value.show().starts_with(text),
            Condition::Contains(text) => value.show().contains(text),
            Condition::Longer(number) => value.show().len() as i64 > *number,
            Condition::Greater(number) => value.num()? > *number,
            Condition::Less(number) => value.num()? < *number,
            Condition::Even => floor_mod(value.num()?, 2)? == 0,
            Condition::HashModulo { of, is } => remainder(fnv1a(&value.show()), *of)? == *is,
            Condition::Always | Condition::Never | Condition::IsNull | Condition::NotNull => false,
        })
    }
}
