//! The functions of the format (FORMAT.md, section 5), compiled once and evaluated per record.
//!
//! An [`Expr`] is a source and stages; a [`Predicate`] and a [`ListExpr`] end in a test or in something that makes a
//! list. Folds of aggregations are in [`fold`]. What a function raises is a [`UserError`], as a user's closure would.

mod condition;
mod fold;
mod list;
mod source;
mod stage;

use anyhow::{Context, Result, bail};

pub use fold::{Aggregator, Initializer, Reducer};

use crate::val::Val;
use condition::Condition;
use list::Lister;
use source::Source;
use stage::Stage;

/// An error that a function of a scenario raises on purpose; Java's oracle throws it as `UserError`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserError(pub String);

impl std::fmt::Display for UserError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for UserError {}

static NULL: Val = Val::Null;

/// What an expression can see; what a place does not have is null there.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The key.
    pub k: &'a Val,
    /// The value.
    pub v: &'a Val,
    /// The element, in a `flat_map`.
    pub e: &'a Val,
    /// The key that a joiner's right value was looked up by.
    pub m: &'a Val,
    /// A joiner's left value.
    pub l: &'a Val,
    /// A joiner's right value.
    pub r: &'a Val,
    /// The record's timestamp in milliseconds.
    pub ts: i64,
    /// The topic of the input record.
    pub topic: Option<&'a str>,
    /// The bytes of the last header of a name.
    pub header: Option<&'a dyn Fn(&str) -> Option<Vec<u8>>>,
}

impl std::fmt::Debug for Scope<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Scope { k, v, e, m, l, r, ts, topic, header: _ } = self;
        write!(
            out,
            "Scope {{ k: {k:?}, v: {v:?}, e: {e:?}, m: {m:?}, l: {l:?}, r: {r:?}, ts: {ts}, topic: {topic:?} }}"
        )
    }
}

impl<'a> Scope<'a> {
    /// A record's key and value.
    pub fn kv(k: &'a Val, v: &'a Val) -> Self {
        Scope { k, v, e: &NULL, m: &NULL, l: &NULL, r: &NULL, ts: 0, topic: None, header: None }
    }

    /// A record's value, where the function does not see the key.
    pub fn value(v: &'a Val) -> Self {
        Scope::kv(&NULL, v)
    }

    /// The key and both values of a join.
    pub fn join(k: &'a Val, l: &'a Val, r: &'a Val) -> Self {
        Scope { l, r, ..Scope::kv(k, &NULL) }
    }

    /// The same, with the key that was looked up.
    #[must_use]
    pub fn mapped(self, m: &'a Val) -> Self {
        Scope { m, ..self }
    }

    /// The same, with an element.
    #[must_use]
    pub fn element(self, e: &'a Val) -> Self {
        Scope { e, ..self }
    }
}

/// A source, then stages.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    source: Source,
    stages: Vec<Stage>,
}

impl Expr {
    /// Reads `SOURCE > STAGE > STAGE`.
    ///
    /// # Errors
    /// When a source or stage is unknown, or its argument is no number where one belongs.
    pub fn parse(text: &str) -> Result<Expr> {
        Self::compile(text.split(" > ")).with_context(|| format!("in `{text}`"))
    }

    fn compile<'a>(mut parts: impl Iterator<Item = &'a str>) -> Result<Expr> {
        let source = Source::parse(parts.next().unwrap_or_default())?;
        let stages = parts.map(Stage::parse).collect::<Result<_>>()?;
        Ok(Expr { source, stages })
    }

    /// The value.
    ///
    /// # Errors
    /// What a stage raises.
    pub fn eval(&self, scope: Scope<'_>) -> Result<Val, UserError> {
        let start = self.source.eval(scope)?;
        self.stages.iter().try_fold(start, |value, stage| stage.apply(value))
    }
}

/// An expression whose last stage is a test.
#[derive(Clone, Debug, PartialEq)]
pub struct Predicate {
    of: Expr,
    condition: Condition,
}

impl Predicate {
    /// Reads `SOURCE > ... > TEST`.
    ///
    /// # Errors
    /// As [`Expr::parse`].
    pub fn parse(text: &str) -> Result<Predicate> {
        let (of, last) = split_last(text)?;
        Ok(Predicate {
            of: Expr::parse(of)?,
            condition: Condition::parse(last).with_context(|| format!("in `{text}`"))?,
        })
    }

    /// Whether the test holds.
    ///
    /// # Errors
    /// What a stage raises.
    pub fn test(&self, scope: Scope<'_>) -> Result<bool, UserError> {
        self.condition.holds(&self.of.eval(scope)?)
    }
}

/// An expression whose last stage makes a list.
#[derive(Clone, Debug, PartialEq)]
pub struct ListExpr {
    of: Expr,
    lister: Lister,
}

impl ListExpr {
    /// Reads `SOURCE > ... > LIST`.
    ///
    /// # Errors
    /// As [`Expr::parse`].
    pub fn parse(text: &str) -> Result<ListExpr> {
        let (of, last) = split_last(text)?;
        Ok(ListExpr { of: Expr::parse(of)?, lister: Lister::parse(last).with_context(|| format!("in `{text}`"))? })
    }

    /// The elements, in order.
    ///
    /// # Errors
    /// What a stage raises.
    pub fn list(&self, scope: Scope<'_>) -> Result<Vec<Val>, UserError> {
        Ok(self.lister.list(&self.of.eval(scope)?))
    }
}

fn split_last(text: &str) -> Result<(&str, &str)> {
    text.rsplit_once(" > ").with_context(|| format!("`{text}` has a source, but no last stage"))
}

/// A stage's name, and its argument: everything after the first colon.
fn name_and_argument(stage: &str) -> (&str, &str) {
    stage.split_once(':').unwrap_or((stage, ""))
}

fn number(stage: &str) -> Result<i64> {
    let (_, argument) = name_and_argument(stage);
    argument.parse().with_context(|| format!("`{stage}` needs a whole number"))
}

/// FNV-1a, 32 bit, of UTF-8 bytes.
fn fnv1a(text: &str) -> i64 {
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    i64::from(hash)
}

/// `x % n` where a zero `n` is the error that Java raises.
fn remainder(x: i64, n: i64) -> Result<i64, UserError> {
    x.checked_rem(n).ok_or_else(|| UserError("/ by zero".to_owned()))
}

/// `Math.floorMod`.
fn floor_mod(x: i64, n: i64) -> Result<i64, UserError> {
    let rest = remainder(x, n)?;
    Ok(if rest != 0 && (rest < 0) != (n < 0) { rest.wrapping_add(n) } else { rest })
}

fn unknown<T>(what: &str, stage: &str) -> Result<T> {
    bail!("unknown {what}: {stage}")
}

#[cfg(test)]
mod tests;
