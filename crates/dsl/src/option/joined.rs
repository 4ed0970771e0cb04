//! How a stream is joined with a table.

use headwater_record::DefaultSerde;
use std::time::Duration;

use super::serde_options;
use crate::serdes::Serdes;

/// How a stream is joined with a table (Java's `Joined`): serdes of the repartition topic where one is needed, the name of the
/// join and of that topic, and for how long records wait.
///
/// What it begins with is compared [in one place](crate#names-and-serdes).
///
/// ```
/// use std::time::Duration;
///
/// use headwater::dsl::{Consumed, Joined, Materialized, StreamsBuilder};
/// let builder = StreamsBuilder::new();
/// let prices = Materialized::versioned("prices", Duration::from_hours(1));
/// let prices = builder.table_with("prices", Consumed::<String, i64>::by_type(), prices);
/// // A price that comes up to a minute late is one that a sale was made at.
/// let joined = Joined::inherited().with_name("priced").with_grace_period(Duration::from_mins(1));
/// let sales = builder.stream::<String, i64>("sales");
/// sales.join_table_with(&prices, |_, pieces, price| pieces * price, joined).to("turnover");
/// assert!(builder.build()?.describe().contains("Processor: priced (stores: [priced-Buffer, prices])"));
/// # Ok::<(), headwater::processor::TopologyErrors>(())
/// ```
pub struct Joined<K, V> {
    pub(crate) serdes: Serdes<K, V>,
    pub(crate) name: Option<String>,
    pub(crate) grace: Option<Duration>,
}

serde_options!(Joined);

impl<K, V> Joined<K, V> {
    /// As inherited (Java's overload without `Joined`).
    pub fn inherited() -> Self {
        Joined { serdes: Serdes::none(), name: None, grace: None }
    }

    /// As inherited, and what is not, by the types.
    pub(crate) fn inherited_or_own() -> Self
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        Joined { serdes: Serdes::inherited_or_own(), ..Self::inherited() }
    }

    /// Records wait so long, in event time and on their way in the changelog, until nothing that comes to the table late can
    /// change what they are joined with (`Joined#withGracePeriod`, KIP-923). They are joined in the order of their times, once
    /// the stream is so far behind them; one that is later than that is joined at once. The table must be a versioned one that keeps its
    /// history at least so long ([`Materialized::versioned`](crate::Materialized::versioned)).
    #[must_use]
    pub fn with_grace_period(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }
}
