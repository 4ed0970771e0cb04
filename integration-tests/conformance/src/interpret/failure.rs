//! The library's errors in the format's words.

use std::error::Error;

use headwater::processor::{FailureKind, ProcessError, TopologyError, TopologyErrors, WiringError};
use headwater::record::SerdeError;
use headwater::runtime::task::TaskError;
use headwater::testing::DriverError;

use crate::expr::UserError;
use crate::outcome::{Failure, Kind, Phase};

/// A program that is no topology: Java reports the first mistake.
pub(super) fn of_building(mistakes: &TopologyErrors) -> Failure {
    let first = mistakes.first();
    let kind = match first {
        Some(TopologyError::Argument(_)) => Kind::Argument,
        Some(TopologyError::Config(_)) => Kind::Setting,
        Some(TopologyError::Store(_) | TopologyError::Plan(_)) => Kind::Running,
        Some(TopologyError::Missing(_)) => Kind::Other("NullPointerException".to_owned()),
        _ => Kind::Topology,
    };
    let message = first.map(ToString::to_string).unwrap_or_default();
    Failure { phase: Phase::Build, kind, message, causes: Vec::new() }
}

/// What a driver said when it was made, or in a step.
pub(super) fn of_driver(phase: Phase, error: &DriverError) -> Failure {
    let (kind, causes) = match error {
        DriverError::UnknownTopic { .. } | DriverError::NegativeTimestamp { .. } => (Kind::Argument, Vec::new()),
        DriverError::Setting { .. } | DriverError::Handler(_) => (Kind::Setting, Vec::new()),
        DriverError::Task(
            TaskError::Process { error, .. } | TaskError::Wiring { error: WiringError::Init { error, .. }, .. },
        ) => of_process(error),
        _ => (Kind::Running, Vec::new()),
    };
    Failure { phase, kind, message: error.to_string(), causes }
}

fn of_process(error: &ProcessError) -> (Kind, Vec<(Kind, String)>) {
    match error {
        ProcessError::Failed(failure) => {
            let kind = if failure.kind == FailureKind::Flush { Kind::Flush } else { Kind::Running };
            let causes = failure.source.as_deref().map(|source| chain(source)).unwrap_or_default();
            (kind, causes)
        }
        ProcessError::User(error) => (Kind::Running, chain(error.as_ref())),
        other => (Kind::Running, chain(other)),
    }
}

fn chain(error: &(dyn Error + 'static)) -> Vec<(Kind, String)> {
    let kind = |error: &(dyn Error + 'static)| {
        if error.is::<UserError>() {
            Kind::User
        } else if error.is::<SerdeError>() {
            Kind::Serialization
        } else {
            Kind::Running
        }
    };
    let mut found = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        found.push((kind(error), error.to_string()));
        next = error.source();
    }
    found
}
