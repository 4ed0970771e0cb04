//! `print`: records as lines of text.

use std::fmt::Display;
use std::sync::PoisonError;

use headwater_topology::{Outlet, ProcessError, Stream};

use crate::operator::step::step;
use crate::{KStream, Printed};

impl<K: 'static, V: 'static> KStream<K, V> {
    /// Prints each record to standard output, for a look while an application is written; nothing follows (`KStream#print`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, i64>("counts").print();
    /// assert!(builder.build()?.describe().contains("KSTREAM-PRINTER-0000000001"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn print(&self)
    where
        K: Display,
        V: Display,
    {
        self.print_with(Printed::to_stdout());
    }

    /// As [`KStream::print`], as `printed` says. What cannot be written is for the processing exception handler.
    pub fn print_with(&self, printed: Printed<K, V>) {
        let Printed { writer, label, name, show } = printed;
        let label = label.unwrap_or_else(|| self.name().to_string());
        let end = step(self, "KSTREAM-PRINTER-", move |_, record, _: &mut Outlet<Stream<K, V>>| {
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            let line = writeln!(writer, "[{label}]: {}", show(record.key, record.value));
            line.and_then(|()| writer.flush()).map_err(ProcessError::user)
        });
        if let Some(name) = name {
            self.draft().rename(end.node(), &name);
        }
    }
}
