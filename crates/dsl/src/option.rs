//! What an operator may be told beyond its closure.

mod consumed;
mod grouped;
mod joined;
mod materialized;
mod printed;
mod produced;
mod repartitioned;
mod stream_joined;
mod suppressed;
mod table_joined;

pub use consumed::Consumed;
pub use grouped::Grouped;
pub use joined::Joined;
pub use materialized::Materialized;
pub use printed::Printed;
pub use produced::Produced;
pub use repartitioned::Repartitioned;
pub use stream_joined::StreamJoined;
pub(crate) use suppressed::{Bounds, Until};
pub use suppressed::{BufferConfig, Eager, NeverEarly, Strict, Suppressed, WhenFull, WindowedKey};
pub use table_joined::TableJoined;

/// Writes the constructors and the `Debug` that all options with serdes and a name share.
macro_rules! serde_options {
    ($option:ident) => {
        impl<K, V> $option<K, V> {
            /// With these serdes.
            pub fn with(key: headwater_record::SharedSerde<K>, value: headwater_record::SharedSerde<V>) -> Self {
                $option { serdes: crate::serdes::Serdes::given(key, value), ..Self::inherited() }
            }

            /// With the types' own serdes, whatever was inherited.
            pub fn by_type() -> Self
            where
                K: headwater_record::DefaultSerde,
                V: headwater_record::DefaultSerde,
            {
                Self::with(K::default_serde(), V::default_serde())
            }

            /// With this name, and with the serdes that are inherited, or else the types' own.
            ///
            /// For types without serdes of their own there is `with(key_serde, value_serde).with_name(name)`.
            pub fn named(name: impl Into<String>) -> Self
            where
                K: headwater_record::DefaultSerde,
                V: headwater_record::DefaultSerde,
            {
                $option { serdes: crate::serdes::Serdes::inherited_or_own(), ..Self::inherited() }.with_name(name)
            }

            /// With this serde for keys.
            #[must_use]
            pub fn with_key_serde(mut self, key: headwater_record::SharedSerde<K>) -> Self {
                self.serdes.key = Some(key.into());
                self
            }

            /// With this serde for values.
            #[must_use]
            pub fn with_value_serde(mut self, value: headwater_record::SharedSerde<V>) -> Self {
                self.serdes.value = Some(value.into());
                self
            }

            /// With these serdes where none is given and none is inherited, as Java takes `default.key.serde` and
            /// `default.value.serde`.
            #[doc(hidden)]
            #[must_use]
            pub fn or_configured(
                mut self,
                key: headwater_record::SharedSerde<K>,
                value: headwater_record::SharedSerde<V>,
            ) -> Self {
                self.serdes = self.serdes.or_own(key, value);
                self
            }

            /// With this name.
            #[must_use]
            pub fn with_name(mut self, name: impl Into<String>) -> Self {
                self.name = Some(name.into());
                self
            }
        }

        impl<K, V> std::fmt::Debug for $option<K, V> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($option)).field("name", &self.name).finish_non_exhaustive()
            }
        }
    };
}
pub(crate) use serde_options;
