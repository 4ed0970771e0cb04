//! How a run failed, in terms that Java and this library share.

/// What ended a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub phase: Phase,
    /// What kind of error.
    pub kind: Kind,
    /// What it says.
    pub message: String,
    /// The chain of causes, outermost first: what each is, and what it says.
    pub causes: Vec<(Kind, String)>,
}

/// When a run failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Building the program.
    Build,
    /// Creating the driver.
    Start,
    /// The step of this number, from 0.
    Step(usize),
}

impl std::fmt::Display for Phase {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Phase::Build => out.write_str("while building"),
            Phase::Start => out.write_str("at start"),
            Phase::Step(number) => write!(out, "in step {number}"),
        }
    }
}

/// The kinds of errors that Java's exception classes stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The program is no valid topology: `TopologyException`.
    Topology,
    /// A bad argument, or a topic that the topology does not read: `IllegalArgumentException`.
    Argument,
    /// A bad or missing setting: `ConfigException`.
    Setting,
    /// Failed while running: `StreamsException`.
    Running,
    /// Failed while a cache was flushed: `ProcessorStateException`.
    Flush,
    /// Raised by a function of the format: `UserError`; only as a cause.
    User,
    /// A serde refused bytes: `SerializationException`; only as a cause.
    Serialization,
    /// Another class, by its simple name.
    Other(String),
}

impl Kind {
    /// The kind that a Java class stands for.
    pub fn of_java(class: &str) -> Kind {
        match class {
            "TopologyException" => Kind::Topology,
            "IllegalArgumentException" => Kind::Argument,
            "ConfigException" => Kind::Setting,
            "StreamsException" => Kind::Running,
            "ProcessorStateException" => Kind::Flush,
            "UserError" => Kind::User,
            "SerializationException" => Kind::Serialization,
            other => Kind::Other(other.to_owned()),
        }
    }

    /// Whether an error of this kind says Java's words: its reader wrote the mistake, and looks for help with it.
    pub fn has_javas_words(&self) -> bool {
        matches!(self, Kind::Topology | Kind::Argument | Kind::Setting)
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Kind::Topology => "no valid topology",
            Kind::Argument => "a bad argument",
            Kind::Setting => "a bad setting",
            Kind::Running => "failed while running",
            Kind::Flush => "failed while a cache was flushed",
            Kind::User => "raised by a function",
            Kind::Serialization => "a serde refused bytes",
            Kind::Other(name) => name,
        })
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}, {}: {}", self.phase, self.kind, self.message)?;
        for (kind, message) in &self.causes {
            write!(out, "; cause, {kind}: {message}")?;
        }
        Ok(())
    }
}
