//! Branches of a stream, and processors in one.

use anyhow::Result;
use headwater::dsl::KStream;

use super::function;
use super::key::{Key, Keyed};
use super::option::Known;
use super::program::{Handle, Program};
use crate::scenario::Spec;
use crate::val::Val;

impl<'a> Program<'a> {
    /// Calls `process` or `process_values`.
    pub(super) fn processed<K: Key>(
        &mut self,
        statement: Spec<'a>,
        stream: &KStream<K, Val>,
        known: &Known,
    ) -> Result<Handle> {
        let processor = statement.need_object("processor")?;
        let mut stores = statement.texts("stores");
        for store in processor.objects("connected_stores") {
            self.add_store(store)?;
            stores.push(store.need("name")?);
        }
        let supplier = self.supplier(processor)?;
        let name = statement.text("named");
        if statement.op() == "process" {
            let made: KStream<Val, Val> = match name {
                Some(name) => stream.process_named(name, supplier, &stores),
                None => stream.process(supplier, &stores),
            };
            return Ok(Val::handle(Keyed::Stream(made, Known::default())));
        }
        let made = match name {
            Some(name) => stream.process_values_named(name, supplier, &stores),
            None => stream.process_values(supplier, &stores),
        };
        Ok(K::handle(Keyed::Stream(made, known.key_only())))
    }
}

impl<'a> Program<'a> {
    /// Splits a stream, and binds its branches.
    pub(super) fn split<K: Key>(&mut self, statement: Spec<'a>, stream: &KStream<K, Val>, known: &Known) -> Result<()> {
        let split = match statement.text("named") {
            Some(name) => stream.split().named(name),
            None => stream.split(),
        };
        let mut made = Vec::new();
        for branch in statement.objects("branches") {
            let takes = function::predicate(branch)?;
            made.push((
                branch,
                match branch.text("name") {
                    Some(name) => split.try_branch_named(name, takes),
                    None => split.try_branch(takes),
                },
            ));
        }
        if let Some(default) = statement.object("default") {
            made.push((
                default,
                match default.text("name") {
                    Some(name) => split.default_branch_named(name),
                    None => split.default_branch(),
                },
            ));
        }
        for (branch, stream) in made {
            let Some(id) = branch.text("id") else { continue };
            // A branch that is handed to a function is not in Java's result map.
            if !branch.is("consumer") {
                self.name_branch(id, &stream.name());
            }
            self.bind(id, K::handle(Keyed::Stream(stream, known.clone())));
        }
        Ok(())
    }
}
