//! Where an expression begins.

use anyhow::Result;

use super::{Scope, UserError, name_and_argument, number, unknown};
use crate::val::Val;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    Key,
    Value,
    Element,
    MappedKey,
    Left,
    Right,
    KeyAndValue(String),
    LeftAndRight(String),
    KeyLeftAndRight(String),
    KeysLeftAndRight(String),
    Sum,
    Timestamp,
    Topic,
    Header(String),
    Constant(Val),
}

impl Source {
    pub(super) fn parse(stage: &str) -> Result<Source> {
        let (name, argument) = name_and_argument(stage);
        let argument = || argument.to_owned();
        Ok(match name {
            "k" => Source::Key,
            "v" => Source::Value,
            "e" => Source::Element,
            "m" => Source::MappedKey,
            "l" => Source::Left,
            "r" => Source::Right,
            "kv" => Source::KeyAndValue(argument()),
            "lr" => Source::LeftAndRight(argument()),
            "klr" => Source::KeyLeftAndRight(argument()),
            "kmlr" => Source::KeysLeftAndRight(argument()),
            "sum" => Source::Sum,
            "ts" => Source::Timestamp,
            "topic" => Source::Topic,
            "header" => Source::Header(argument()),
            "const" => Source::Constant(Val::Text(argument())),
            "long" => Source::Constant(Val::Long(number(stage)?)),
            "null" => Source::Constant(Val::Null),
            _ => return unknown("source", stage),
        })
    }

    pub(super) fn eval(&self, scope: Scope<'_>) -> Result<Val, UserError> {
        let Scope { k, v, e, m, l, r, ts, topic, header } = scope;
        Ok(match self {
            Source::Key => k.clone(),
            Source::Value => v.clone(),
            Source::Element => e.clone(),
            Source::MappedKey => m.clone(),
            Source::Left => l.clone(),
            Source::Right => r.clone(),
            Source::KeyAndValue(between) => Val::Text(k.show() + between + &v.show()),
            Source::LeftAndRight(between) => Val::Text(l.show() + between + &r.show()),
            Source::KeyLeftAndRight(between) => Val::Text(k.show() + between + &l.show() + between + &r.show()),
            Source::KeysLeftAndRight(between) => Val::Text([k, m, l, r].map(Val::show).join(between)),
            Source::Sum => Val::Long(l.num()?.wrapping_add(r.num()?)),
            Source::Timestamp => Val::Long(ts),
            Source::Topic => topic.map_or(Val::Null, Val::text),
            Source::Header(name) => {
                header.and_then(|last| last(name)).map_or(Val::Null, |bytes| Val::text(String::from_utf8_lossy(&bytes)))
            }
            Source::Constant(value) => value.clone(),
        })
    }
}
