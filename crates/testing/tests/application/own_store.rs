//! A store of one's own in memory, which also says how many rows it has.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_record::{Offset, RawRecord};
use headwater_store::bytes::{Entry, KeyRange, KeyValueBytes, Order, Scan};
use headwater_store::{
    Asked, Committed, OpenContext, Row, RowBuf, RowFormat, StateStore, Store, StoreError, StoreSpec, StoreSupplier,
    StoreViews, View,
};

/// How many rows are there?
#[derive(Debug)]
pub(crate) struct HowMany;

#[derive(Debug)]
pub(crate) struct OwnStores;

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Debug)]
struct Own {
    name: String,
    rows: Rows,
    offset: Option<Offset>,
    /// A view has none.
    views: Option<Arc<Committed<Rows>>>,
}

#[derive(Debug)]
struct OwnViews(String, Arc<Committed<Rows>>);

impl StoreSupplier for OwnStores {
    fn is_persistent(&self) -> bool {
        false
    }
    fn open(&self, spec: &StoreSpec, _: OpenContext<'_>) -> Result<Store, StoreError> {
        let views = Some(Arc::new(Committed::new(&spec.name, Rows::new())));
        Ok(Store::KeyValue(Box::new(Own { name: spec.name.clone(), rows: Rows::new(), offset: None, views })))
    }
}

fn view(name: &str, rows: Rows) -> View {
    View::new(Store::KeyValue(Box::new(Own { name: name.to_owned(), rows, offset: None, views: None })), None)
}

impl StoreViews for OwnViews {
    fn committed(&self) -> Result<Option<Arc<View>>, StoreError> {
        self.1.view(|rows| Ok(Some(view(&self.0, rows.clone()))))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.views.iter().for_each(|views| views.close());
    }
}

impl StateStore for Own {
    fn name(&self) -> &str {
        &self.name
    }
    fn is_persistent(&self) -> bool {
        false
    }
    fn committed_offset(&self) -> Result<Option<Offset>, StoreError> {
        Ok(self.offset)
    }
    fn commit(&mut self, changelog: Option<Offset>) -> Result<(), StoreError> {
        self.offset = changelog.or(self.offset);
        if let Some(views) = &self.views {
            views.change(|rows| rows.clone_from(&self.rows));
        }
        Ok(())
    }
    fn views(&self) -> Option<Arc<dyn StoreViews>> {
        Some(Arc::new(OwnViews(self.name.clone(), Arc::clone(self.views.as_ref()?))))
    }
    fn uncommitted(&mut self, _: &Asked<'_>, _: &mut dyn FnMut(&mut Store)) -> Result<Option<Arc<View>>, StoreError> {
        self.views.as_ref().map(|views| views.hand_out(view(&self.name, self.rows.clone()))).transpose()
    }
    fn query(&self, query: &dyn Any) -> Result<Option<Box<dyn Any>>, StoreError> {
        Ok(query.is::<HowMany>().then(|| Box::new(self.rows.len()) as Box<dyn Any>))
    }
    fn restore(&mut self, records: &mut dyn Iterator<Item = RawRecord<'_>>) -> Result<(), StoreError> {
        for record in records {
            self.put(record.key.unwrap(), record.value.map(Row::plain))?;
        }
        Ok(())
    }
}

impl KeyValueBytes for Own {
    fn get(&self, key: &[u8]) -> Result<Option<RowBuf>, StoreError> {
        self.rows.get(key).map(|row| RowFormat::Plain.decode(row.clone())).transpose()
    }
    fn put(&mut self, key: &[u8], row: Option<Row<'_>>) -> Result<(), StoreError> {
        match row {
            Some(row) => drop(self.rows.insert(key.to_vec(), row.value.to_vec())),
            None => drop(self.rows.remove(key)),
        }
        Ok(())
    }
    fn scan(&self, range: KeyRange<'_>, order: Order, limit: usize, into: &mut Vec<Entry>) -> Result<Scan, StoreError> {
        let mut found: Vec<_> = self.rows.iter().filter(|(key, _)| range.contains(key)).collect();
        if order == Order::Backward {
            found.reverse();
        }
        for (key, row) in found.iter().take(limit) {
            into.push(Entry { key: (*key).clone(), row: RowFormat::Plain.decode((*row).clone())? });
        }
        Ok(if found.len() > limit { Scan::More } else { Scan::Done })
    }
    fn approximate_len(&self) -> u64 {
        self.rows.len() as u64
    }
}
