//! How records are printed.

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex};

type Show<K, V> = Arc<dyn Fn(&K, &V) -> String + Send + Sync>;

/// How records are printed (Java's `Printed`): where to, under which label, and how a record is shown. Each is a line of its own,
/// `[label]: key, value` unless told otherwise.
///
/// ```
/// use headwater::dsl::{Printed, StreamsBuilder};
/// let builder = StreamsBuilder::new();
/// let printed = Printed::shown(std::io::stderr(), |page, count| format!("{page} was seen {count} times"));
/// builder.stream::<String, i64>("counts").print_with(printed.with_label("counts").with_name("printer"));
/// assert!(builder.build()?.describe().contains("Processor: printer"));
/// # Ok::<(), headwater::processor::TopologyErrors>(())
/// ```
pub struct Printed<K, V> {
    pub(crate) writer: Arc<Mutex<dyn Write + Send>>,
    pub(crate) label: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) show: Show<K, V>,
}

impl<K: fmt::Display, V: fmt::Display> Printed<K, V> {
    /// To standard output, as `key, value` (`Printed#toSysOut`).
    pub fn to_stdout() -> Self {
        Self::to_writer(std::io::stdout())
    }

    /// To `writer`, a file for instance, as `key, value` (`Printed#toFile`). It is flushed after each record.
    pub fn to_writer(writer: impl Write + Send + 'static) -> Self {
        Self::shown(writer, |key, value| format!("{key}, {value}"))
    }
}

impl<K, V> Printed<K, V> {
    /// To `writer`, as `show` shows records (`Printed#withKeyValueMapper`).
    pub fn shown(writer: impl Write + Send + 'static, show: impl Fn(&K, &V) -> String + Send + Sync + 'static) -> Self {
        Printed { writer: Arc::new(Mutex::new(writer)), label: None, name: None, show: Arc::new(show) }
    }

    /// Begins each line with `[label]: `; the name of the node before this one unless said.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Names the node.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
}

impl<K, V> fmt::Debug for Printed<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Printed").field("label", &self.label).field("name", &self.name).finish_non_exhaustive()
    }
}
