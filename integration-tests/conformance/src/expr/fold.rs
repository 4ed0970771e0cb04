//! Initializers, aggregators, and reducers with session mergers.

use anyhow::Result;

use super::{UserError, name_and_argument, unknown};
use crate::val::Val;

/// What an aggregation starts from.
#[derive(Clone, Debug, PartialEq)]
pub struct Initializer(Val);

impl Initializer {
    /// Reads `empty`, `zero`, `null` or `const:X`.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn parse(text: &str) -> Result<Initializer> {
        let (name, argument) = name_and_argument(text);
        Ok(Initializer(match name {
            "empty" => Val::text(""),
            "zero" => Val::Long(0),
            "null" => Val::Null,
            "const" => Val::text(argument),
            _ => return unknown("initializer", text),
        }))
    }

    /// A first aggregate.
    pub fn start(&self) -> Val {
        self.0.clone()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fold {
    Concat,
    Log,
    KeyConcat,
    Sum,
    Sub,
    Increment,
    Decrement,
    Max,
    Min,
    First,
    Last,
    BagAdd,
    BagRemove,
    NullOn,
    FailOn,
}

impl Fold {
    fn parse(name: &str) -> Option<Fold> {
        Some(match name {
            "concat" => Fold::Concat,
            "log" => Fold::Log,
            "key_concat" => Fold::KeyConcat,
            "sum" => Fold::Sum,
            "sub" => Fold::Sub,
            "inc" => Fold::Increment,
            "dec" => Fold::Decrement,
            "max" => Fold::Max,
            "min" => Fold::Min,
            "first" => Fold::First,
            "last" => Fold::Last,
            "bag_add" => Fold::BagAdd,
            "bag_remove" => Fold::BagRemove,
            "null_on" => Fold::NullOn,
            "fail_on" => Fold::FailOn,
            _ => return None,
        })
    }
}

/// An aggregator, adder or subtractor: key, value and aggregate to the next aggregate.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregator {
    fold: Fold,
    argument: String,
}

impl Aggregator {
    /// Reads an aggregator's name and argument.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn parse(text: &str) -> Result<Aggregator> {
        let (name, argument) = name_and_argument(text);
        match Fold::parse(name) {
            Some(fold) => Ok(Aggregator { fold, argument: argument.to_owned() }),
            None => unknown("aggregator", text),
        }
    }

    /// The next aggregate.
    ///
    /// # Errors
    /// What the function raises: `failed on X`, `not a number: X`.
    pub fn apply(&self, key: &Val, value: &Val, aggregate: &Val) -> Result<Val, UserError> {
        let argument = &self.argument;
        let so_far = || if aggregate.is_null() { String::new() } else { aggregate.show() };
        let concat = |between: &str| {
            Val::Text(if aggregate.is_blank() { value.show() } else { aggregate.show() + between + &value.show() })
        };
        Ok(match self.fold {
            Fold::Concat => concat(argument),
            Fold::Log => Val::Text(so_far() + argument + &value.show()),
            Fold::KeyConcat => Val::Text(so_far() + argument + &key.show() + "=" + &value.show()),
            Fold::Sum => Val::Long(aggregate.num()?.wrapping_add(value.num()?)),
            Fold::Sub => Val::Long(aggregate.num()?.wrapping_sub(value.num()?)),
            Fold::Increment => Val::Long(aggregate.num()?.wrapping_add(1)),
            Fold::Decrement => Val::Long(aggregate.num()?.wrapping_sub(1)),
            Fold::Max | Fold::Min if aggregate.is_null() => Val::Long(value.num()?),
            Fold::Max => Val::Long(aggregate.num()?.max(value.num()?)),
            Fold::Min => Val::Long(aggregate.num()?.min(value.num()?)),
            Fold::First if aggregate.is_blank() => value.clone(),
            Fold::First => aggregate.clone(),
            Fold::Last => value.clone(),
            Fold::BagAdd => bag(aggregate, |items| items.push(value.show())),
            Fold::BagRemove => bag(aggregate, |items| {
                let gone = value.show();
                if let Some(at) = items.iter().position(|item| *item == gone) {
                    items.remove(at);
                }
            }),
            Fold::NullOn if value.show() == *argument => Val::Null,
            Fold::FailOn if value.show() == *argument => return Err(UserError(format!("failed on {argument}"))),
            Fold::NullOn | Fold::FailOn => concat(","),
        })
    }
}

/// A bag is its texts joined by commas, sorted by bytes.
fn bag(aggregate: &Val, change: impl FnOnce(&mut Vec<String>)) -> Val {
    let mut items: Vec<String> =
        if aggregate.is_blank() { Vec::new() } else { aggregate.show().split(',').map(str::to_owned).collect() };
    change(&mut items);
    items.sort();
    Val::Text(items.join(","))
}

/// A reducer (aggregate and value to the next aggregate) or session merger (two aggregates to one).
#[derive(Clone, Debug, PartialEq)]
pub struct Reducer {
    fold: Fold,
    argument: String,
}

impl Reducer {
    /// Reads a reducer's or merger's name and argument.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn parse(text: &str) -> Result<Reducer> {
        let (name, argument) = name_and_argument(text);
        match Fold::parse(name) {
            Some(
                fold @ (Fold::Concat
                | Fold::Log
                | Fold::Sum
                | Fold::Sub
                | Fold::Max
                | Fold::Min
                | Fold::First
                | Fold::Last
                | Fold::NullOn
                | Fold::FailOn),
            ) => Ok(Reducer { fold, argument: argument.to_owned() }),
            _ => unknown("reducer", text),
        }
    }

    /// One from two, the earlier first.
    ///
    /// # Errors
    /// What the function raises: `failed on X`, `not a number: X`.
    pub fn apply(&self, x: &Val, y: &Val) -> Result<Val, UserError> {
        let argument = &self.argument;
        let joined = |between: &str| Val::Text(x.show() + between + &y.show());
        Ok(match self.fold {
            Fold::Concat if x.is_blank() => Val::Text(y.show()),
            Fold::Concat if y.is_blank() => Val::Text(x.show()),
            Fold::Sum => Val::Long(x.num()?.wrapping_add(y.num()?)),
            Fold::Sub => Val::Long(x.num()?.wrapping_sub(y.num()?)),
            Fold::Max => Val::Long(x.num()?.max(y.num()?)),
            Fold::Min => Val::Long(x.num()?.min(y.num()?)),
            Fold::First => x.clone(),
            Fold::Last => y.clone(),
            Fold::NullOn if y.show() == *argument => Val::Null,
            Fold::FailOn if y.show() == *argument => return Err(UserError(format!("failed on {argument}"))),
            Fold::NullOn | Fold::FailOn => joined(","),
            _ => joined(argument),
        })
    }
}
