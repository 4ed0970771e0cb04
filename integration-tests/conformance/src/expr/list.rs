//! The last stage of a list expression.

use anyhow::{Context, Result};

use super::{name_and_argument, unknown};
use crate::val::Val;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Lister {
    // These see null.
    Nothing,
    Repeat(usize),
    // These are empty for null.
    Words,
    Chars,
}

impl Lister {
    pub(super) fn parse(stage: &str) -> Result<Lister> {
        let (name, argument) = name_and_argument(stage);
        Ok(match name {
            "none" => Lister::Nothing,
            "repeat" => Lister::Repeat(argument.parse().with_context(|| format!("`{stage}` needs a count"))?),
            "words" => Lister::Words,
            "chars" => Lister::Chars,
            _ => return unknown("list", stage),
        })
    }

    pub(super) fn list(&self, value: &Val) -> Vec<Val> {
        match self {
            Lister::Nothing => Vec::new(),
            Lister::Repeat(count) => vec![value.clone(); *count],
            Lister::Words | Lister::Chars if value.is_null() => Vec::new(),
            Lister::Words => value.show().split(' ').filter(|word| !word.is_empty()).map(Val::text).collect(),
            Lister::Chars => value.show().chars().map(Val::text).collect(),
        }
    }
}
