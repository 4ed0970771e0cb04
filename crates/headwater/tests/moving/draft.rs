//! What every topology begins and ends with.

use std::cell::Cell;
use std::fmt::Debug;
use std::sync::Arc;

use headwater::prelude::*;
use headwater::processor::prelude::*;

/// A topology in the making, of topics that [`World`](crate::world::World) has.
pub(crate) struct Draft {
    pub(crate) builder: StreamsBuilder,
    alive: Arc<()>,
    outputs: Cell<usize>,
}

/// Lives as long as its task does, and hands on what comes.
struct Lives {
    _alive: Arc<()>,
}

impl FixedKeyProcessor<String, Option<String>, Option<String>> for Lives {
    fn process(
        &mut self,
        cx: &mut FixedKeyContext<'_, '_, '_, String, Option<String>>,
        record: FixedKeyRecord<'_, String, Option<String>>,
    ) -> Result<(), ProcessError> {
        cx.forward(record)
    }
}

impl Draft {
    /// Every output of every task will hold `alive`, and nothing else will.
    pub(crate) fn new(alive: &Arc<()>) -> Self {
        Draft { builder: StreamsBuilder::new(), alive: Arc::clone(alive), outputs: Cell::new(0) }
    }

    /// How many outputs were written.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs.get()
    }

    pub(crate) fn left(&self) -> KStream<String, String> {
        self.builder.stream("left")
    }

    pub(crate) fn right(&self) -> KStream<String, String> {
        self.builder.stream("right")
    }

    /// Of these only the last row of each key is certain: what a cache lets through depends on when it is flushed.
    pub(crate) fn rows<V: Debug + 'static>(&self, table: &KTable<String, V>) {
        self.write("rows", &table.to_stream(), |key, row| (key.clone(), row.as_ref().map(shown)));
    }

    /// As [`Draft::rows`], of a table by windows.
    pub(crate) fn windows<V: Debug + 'static>(&self, table: &KTable<Windowed<String>, V>) {
        self.write("rows", &table.to_stream(), |key, row| (windowed(key), row.as_ref().map(shown)));
    }

    /// Of these each one is certain.
    pub(crate) fn each<V: Debug + 'static>(&self, stream: &KStream<String, V>) {
        self.write("each", stream, |key, value| (key.clone(), Some(shown(value))));
    }

    /// As [`Draft::each`], of windows that are told once.
    pub(crate) fn each_window<V: Debug + 'static>(&self, table: &KTable<Windowed<String>, V>) {
        self.write("each", &table.to_stream(), |key, row| (windowed(key), row.as_ref().map(shown)));
    }

    fn write<K: 'static, V: 'static>(
        &self,
        topic: &str,
        stream: &KStream<K, V>,
        text: impl Fn(&K, &V) -> (String, Option<String>) + Send + Sync + 'static,
    ) {
        let number = self.outputs.replace(self.outputs.get() + 1);
        let texts = stream.map(move |key, value| {
            let (key, value) = text(key, value);
            (format!("{number} {key}"), value)
        });
        let alive = Arc::clone(&self.alive);
        let lives = move |_: &mut StoreAccess<'_, '_>| Ok(Lives { _alive: Arc::clone(&alive) });
        texts.process_values(lives, &[]).to_with(topic, Produced::by_type());
    }
}

fn shown(value: &impl Debug) -> String {
    format!("{value:?}")
}

fn windowed(key: &Windowed<String>) -> String {
    format!("{}@{}/{}", key.key, key.window.start.millis(), key.window.end.millis())
}
