//! Windows of a grouped stream, and aggregations in them.

use anyhow::{Result, bail};
use headwater::dsl::{
    CogroupedKStream, EmitStrategy, KGroupedStream, SessionWindowedCogroupedKStream, SessionWindowedKStream,
    TimeWindowedCogroupedKStream, TimeWindowedKStream,
};
use headwater::window::{SessionWindows, SlidingWindows, TimeWindows, UnlimitedWindows};

use super::function;
use super::grouped::next_count;
use super::key::{Key, Keyed};
use super::option::Known;
use super::program::{Handle, Program};
use super::serde::Format;
use super::store::duration;
use super::table::named;
use crate::expr::UserError;
use crate::scenario::Spec;
use crate::val::Val;

/// A grouped stream with windows, or cogrouped ones.
#[derive(Clone)]
pub(super) enum Windowing {
    Time { stream: TimeWindowedKStream<Val, Val>, size_ms: i64 },
    Session(SessionWindowedKStream<Val, Val>),
    CogroupedTime { streams: TimeWindowedCogroupedKStream<Val, Val>, size_ms: i64 },
    CogroupedSession(SessionWindowedCogroupedKStream<Val, Val>),
}

/// The windows that a statement describes.
enum Windows {
    Time(TimeWindows, i64),
    Sliding(SlidingWindows, i64),
    Unlimited(UnlimitedWindows),
    Session(SessionWindows),
}

impl Windows {
    fn of(statement: Spec<'_>) -> Result<Windows> {
        let windows = statement.need_object("windows")?;
        let size = |field: &str| duration(windows, field);
        let grace = windows.has("grace_ms").then(|| duration(windows, "grace_ms")).transpose()?;
        Ok(match windows.need("type")? {
            "tumbling" | "hopping" => {
                let made = match grace {
                    Some(grace) => TimeWindows::of_size_and_grace(size("size_ms")?, grace),
                    None => TimeWindows::of_size_with_no_grace(size("size_ms")?),
                };
                let made = if windows.has("advance_ms") { made.advance_by(size("advance_ms")?) } else { made };
                Windows::Time(made, windows.need_number("size_ms")?)
            }
            "sliding" => {
                let made = match grace {
                    Some(grace) => SlidingWindows::of_time_difference_and_grace(size("diff_ms")?, grace),
                    None => SlidingWindows::of_time_difference_with_no_grace(size("diff_ms")?),
                };
                Windows::Sliding(made, windows.need_number("diff_ms")?)
            }
            "unlimited" => {
                let made = UnlimitedWindows::of();
                Windows::Unlimited(match windows.number("start_ms") {
                    Some(start) => made.start_on(start.into()),
                    None => made,
                })
            }
            "session" => Windows::Session(match grace {
                Some(grace) => SessionWindows::of_inactivity_gap_and_grace(size("gap_ms")?, grace),
                None => SessionWindows::of_inactivity_gap_with_no_grace(size("gap_ms")?),
            }),
            other => bail!("no windows of type `{other}`"),
        })
    }
}

impl Windowing {
    /// Calls `windowed_by` on a grouped stream.
    pub(super) fn of(statement: Spec<'_>, grouped: &KGroupedStream<Val, Val>) -> Result<Windowing> {
        Ok(match Windows::of(statement)? {
            Windows::Time(windows, size_ms) => Windowing::Time { stream: grouped.windowed_by(windows), size_ms },
            Windows::Sliding(windows, size_ms) => Windowing::Time { stream: grouped.windowed_by(windows), size_ms },
            Windows::Unlimited(windows) => Windowing::Time { stream: grouped.windowed_by(windows), size_ms: i64::MAX },
            Windows::Session(windows) => Windowing::Session(grouped.windowed_by(windows)),
        })
    }

    /// Calls `windowed_by` on cogrouped streams.
    pub(super) fn of_cogrouped(statement: Spec<'_>, all: &CogroupedKStream<Val, Val>) -> Result<Windowing> {
        Ok(match Windows::of(statement)? {
            Windows::Time(windows, size_ms) => Windowing::CogroupedTime { streams: all.windowed_by(windows), size_ms },
            Windows::Sliding(windows, size_ms) => {
                Windowing::CogroupedTime { streams: all.windowed_by(windows), size_ms }
            }
            Windows::Unlimited(windows) => {
                Windowing::CogroupedTime { streams: all.windowed_by(windows), size_ms: i64::MAX }
            }
            Windows::Session(windows) => Windowing::CogroupedSession(all.windowed_by(windows)),
        })
    }

    /// Whether it is of cogrouped streams.
    pub(super) fn is_cogrouped(&self) -> bool {
        matches!(self, Windowing::CogroupedTime { .. } | Windowing::CogroupedSession(_))
    }

    fn emitting(self, strategy: EmitStrategy) -> Result<Windowing> {
        Ok(match self {
            Windowing::Time { stream, size_ms } => Windowing::Time { stream: stream.emit_strategy(strategy), size_ms },
            Windowing::Session(stream) => Windowing::Session(stream.emit_strategy(strategy)),
            _ => bail!("cogrouped streams have no emit strategy"),
        })
    }

    /// The serde of its windowed keys.
    fn keys(&self, of_keys: Format) -> Format {
        match self {
            Windowing::Time { size_ms, .. } | Windowing::CogroupedTime { size_ms, .. } => {
                of_keys.in_windows_of(*size_ms)
            }
            Windowing::Session(_) | Windowing::CogroupedSession(_) => of_keys.in_sessions(),
        }
    }
}

impl Program<'_> {
    /// Calls an operator on a grouped stream with windows.
    pub(super) fn on_windowing(&self, statement: Spec<'_>, windowing: Windowing, known: &Known) -> Result<Handle> {
        if statement.op() == "emit_strategy" {
            let strategy = match statement.need("strategy")? {
                "on_window_close" => EmitStrategy::OnWindowClose,
                "on_window_update" => EmitStrategy::OnWindowUpdate,
                other => bail!("no emit strategy `{other}`"),
            };
            return Ok(Handle::Windowing(windowing.emitting(strategy)?, known.clone()));
        }
        let (own, options) = self.options.aggregation::<Val>(statement, known)?;
        let table = match (statement.op(), &windowing) {
            ("count", Windowing::Time { stream, .. }) if statement.has("materialized") => {
                stream.count_as_with(|| Val::Long(0), next_count, options)
            }
            ("count", Windowing::Time { stream, .. }) => stream.count_as(|| Val::Long(0), next_count),
            ("count", Windowing::Session(stream)) if statement.has("materialized") => {
                stream.count_as_with(|| Val::Long(0), next_count, number, options)
            }
            ("count", Windowing::Session(stream)) => stream.count_as(|| Val::Long(0), next_count, number),
            ("reduce", Windowing::Time { stream, .. }) => {
                stream.try_reduce_with(function::reducer(statement, "reducer")?, options)
            }
            ("reduce", Windowing::Session(stream)) => {
                stream.try_reduce_with(function::reducer(statement, "reducer")?, options)
            }
            (_, Windowing::Time { stream, .. }) => {
                let add = function::aggregator(statement, "aggregator")?;
                stream.try_aggregate_with(function::initializer(statement)?, add, options)
            }
            (_, Windowing::Session(stream)) => {
                let add = function::aggregator(statement, "aggregator")?;
                stream.try_aggregate_with(function::initializer(statement)?, add, merger(statement)?, options)
            }
            (_, Windowing::CogroupedTime { streams, .. }) => {
                streams.aggregate_with(function::initializer(statement)?, options)
            }
            (_, Windowing::CogroupedSession(streams)) => {
                streams.try_aggregate_with(function::initializer(statement)?, merger(statement)?, options)
            }
        };
        let known = Known { key: own.key.map(|key| windowing.keys(key)), value: own.value };
        Ok(Key::handle(Keyed::Table(named(statement, table), known)))
    }
}

/// Makes one aggregate of those of two sessions.
fn merger(statement: Spec<'_>) -> Result<impl Fn(&Val, &Val, &Val) -> Result<Val, UserError> + Send + Sync + use<>> {
    let merge = function::reducer(statement, "merger")?;
    Ok(move |_: &Val, one: &Val, other: &Val| merge(one, other))
}

/// What a count of the format is.
fn number(count: &Val) -> i64 {
    count.num().unwrap_or_default()
}
