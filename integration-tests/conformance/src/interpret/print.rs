//! What programs print.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use headwater::dsl::{KStream, Printed};

use super::key::Key;
use super::program::Program;
use crate::expr::{Expr, Scope};
use crate::scenario::Spec;
use crate::val::Val;

/// Where a `print` writes to.
#[derive(Clone, Default)]
pub(super) struct Printout(Arc<Mutex<Vec<u8>>>);

impl Printout {
    /// The lines so far.
    pub(super) fn lines(&self) -> Vec<String> {
        let written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&written).lines().map(str::to_owned).collect()
    }
}

impl Write for Printout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Program<'_> {
    /// Calls `print`.
    pub(super) fn printed<K: Key>(&mut self, statement: Spec<'_>, stream: &KStream<K, Val>) -> Result<()> {
        let out = Printout::default();
        self.prints.push(out.clone());
        let mut printed = match statement.text("show") {
            Some(expr) => {
                let expr = Expr::parse(expr)?;
                Printed::shown(out, move |key: &K, value: &Val| {
                    expr.eval(Scope::kv(&key.seen(), value)).map_or_else(|error| error.0, |shown| shown.show())
                })
            }
            None => Printed::to_writer(out),
        };
        if let Some(label) = statement.text("label") {
            printed = printed.with_label(label);
        }
        if let Some(name) = statement.text("name") {
            printed = printed.with_name(name);
        }
        stream.print_with(printed);
        Ok(())
    }
}
