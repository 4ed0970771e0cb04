//! Tables: aggregated, joined, versioned, global, and with values that are kept.

use std::time::Duration;

use headwater::prelude::*;
use headwater::processor::prelude::*;

use crate::draft::Draft;

const HOUR: Duration = Duration::from_hours(1);

fn kept(name: &str) -> Materialized<String, String> {
    Materialized::by_type().with_name(name).with_caching_disabled()
}

fn concat(one: String, other: &String) -> String {
    format!("{one}{other}")
}

fn pair<A: std::fmt::Debug, B: std::fmt::Debug>(one: A, other: B) -> String {
    format!("{one:?} {other:?}")
}

impl Draft {
    /// The topic `table`, each change of which counts.
    fn table(&self) -> KTable<String, String> {
        self.builder.table_with("table", Consumed::by_type(), kept("table"))
    }
}

pub(crate) fn aggregates_of_streams(draft: &Draft) {
    draft.rows(&draft.left().group_by_key().count());
    draft.rows(&draft.left().group_by(|_, value| value.clone()).reduce_with(concat, kept("sums")));
}

pub(crate) fn aggregates_of_tables(draft: &Draft) {
    let table: KTable<String, String> = draft.builder.table("table");
    draft.rows(&table.group_by(|key, value| (value.clone(), key.clone())).count());
    draft.rows(&table.filter_with(|_, value| value != "3", kept("filtered")));
}

pub(crate) fn joins_of_tables(draft: &Draft) {
    let (left, right) = (draft.left().to_table(), draft.table());
    draft.rows(&left.join(&right, |one, other| pair(one, other)));
    draft.rows(&left.outer_join(&right, |one, other| pair(one, other)));
    draft.rows(&right.left_join(&left, |one, other| pair(one, other)));
}

pub(crate) fn joins_of_streams_with_tables(draft: &Draft) {
    let (left, table) = (draft.left(), draft.table());
    draft.each(&left.join_table(&table, |_, one, other| pair(one, other)));
    draft.each(&left.left_join_table(&table, |_, one, other| pair(one, other)));
}

/// What waits for the grace to pass is joined with the row of its own time.
pub(crate) fn versioned_tables(draft: &Draft) {
    let rows = draft.builder.table_with("table", Consumed::by_type(), Materialized::versioned("rows", HOUR));
    let waits = Joined::inherited().with_grace_period(Duration::from_millis(40));
    draft.each(&draft.left().left_join_table_with(&rows, |_, one, other| pair(one, other), waits));
    draft.rows(&rows.group_by(|key, row: &String| (row.clone(), key.clone())).count());
}

pub(crate) fn joins_by_foreign_keys(draft: &Draft) {
    let (left, right) = (draft.left().to_table_with(kept("left-rows")), draft.table());
    let foreign_key = |_: &String, row: &String| format!("k{row}");
    draft.rows(&left.left_join_on(&right, foreign_key, |one, other| pair(one, other)));
    let versions = draft.builder.table_with("right", Consumed::by_type(), Materialized::versioned("versions", HOUR));
    draft.rows(&right.left_join_on(&versions, foreign_key, |one, other: Option<&String>| pair(one, other)));
}

pub(crate) fn kept_values(draft: &Draft) {
    let table = draft.table();
    let mapped = table.map_values_with(|_, value| format!("<{value}>"), kept("mapped"));
    draft.builder.add_state_store(StoreSpec::key_value("changes"));
    let changes = |stores: &mut StoreAccess<'_, '_>| Ok(Changes(stores.key_value(&StoreHandle::named("changes"))?));
    let counts = Materialized::by_type().with_name("counts").with_caching_disabled();
    let counted = table.transform_values_using_with(changes, &["changes"], counts);
    draft.rows(&mapped);
    draft.rows(&counted);
    draft.rows(&mapped.join(&counted, |one, other| pair(one, other)));
}

/// Says how often a row has changed.
struct Changes(Rc<KeyValueState<String, i64>>);

impl ValueTransformerWithKey<String, String, i64> for Changes {
    fn transform(
        &mut self,
        cx: &mut TransformContext<'_, '_>,
        record: Record<'_, String, Option<String>>,
    ) -> Result<Option<i64>, ProcessError> {
        let count = self.0.value(cx, record.key)?.unwrap_or(0) + 1;
        self.0.put_at(cx, record.key, count, &record)?;
        Ok(record.value.as_ref().map(|_| count))
    }
}

pub(crate) fn global_tables(draft: &Draft) {
    let shops: GlobalKTable<String, String> = draft.builder.global_table("shops");
    let shop = |_: &String, sale: &String| format!("k{sale}");
    draft.each(&draft.left().join_global(&shops, shop, |_, sale, shop| pair(sale, shop)));
    let fill = |stores: &mut StoreAccess<'_, '_>| Ok(Fill(stores.key_value(&StoreHandle::named("names"))?));
    draft.builder.add_global_store(StoreSpec::key_value("names"), "names", Consumed::by_type(), fill);
    let look = |stores: &mut StoreAccess<'_, '_>| Ok(Look(stores.key_value(&StoreHandle::named("names"))?));
    draft.each(&draft.left().process(look, &[]));
}

/// Keeps names in capitals.
struct Fill(Rc<KeyValueState<String, String>>);

impl Processor<String, String, (), ()> for Fill {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, (), ()>,
        record: Record<'_, String, String>,
    ) -> Result<(), ProcessError> {
        self.0.put_at(cx, record.key, record.value.to_uppercase(), &record)
    }
}

/// Puts the name of a key behind its values.
struct Look(Rc<KeyValueState<String, String>>);

impl Processor<String, String, String, String> for Look {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, String, String>,
        record: Record<'_, String, String>,
    ) -> Result<(), ProcessError> {
        let named = pair(record.value, self.0.value(cx, record.key)?);
        cx.forward(Record::new(record.key, &named, record.timestamp, record.headers))
    }
}
