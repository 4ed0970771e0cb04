//! Kafka's jars, resolved by Maven once per machine.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::VERSION;
use crate::{process, workspace};

/// Group, artifact and version.
type Artifact = (&'static str, &'static str, &'static str);
/// The name of a folder, and the artifacts that it holds with all that they need.
type Libraries = (&'static str, &'static [Artifact]);

const BROKER: Artifact = ("org.apache.kafka", "kafka_2.13", VERSION);
const TOOLS: Artifact = ("org.apache.kafka", "kafka-tools", VERSION);
const STREAMS: Artifact = ("org.apache.kafka", "kafka-streams", VERSION);
const LOGGER: Artifact = ("org.slf4j", "slf4j-simple", "1.7.36");

/// The folders with the broker's jars.
#[derive(Clone, Debug)]
pub(crate) struct Jars {
    folder: PathBuf,
}

impl Jars {
    /// Finds the jars in the cache, or lets Maven fetch them.
    ///
    /// # Errors
    /// When Maven cannot.
    pub(crate) fn fetch() -> Result<Self> {
        let folder = fetch("kafka", &[("libs", &[BROKER, TOOLS]), ("logging", &[LOGGER])])?;
        Ok(Self { folder })
    }

    /// The folder with everything that Kafka's own command line tools need.
    pub(crate) fn libs(&self) -> PathBuf {
        self.folder.join("libs")
    }

    /// The broker's class path: the libraries, and a logger that writes what the tools would not say.
    pub(super) fn class_path(&self) -> String {
        format!("{}/*:{}/*", self.libs().display(), self.folder.join("logging").display())
    }
}

/// The folder with what an application of Java Kafka Streams needs, a logger among it.
///
/// # Errors
/// When Maven cannot fetch it.
pub(crate) fn streams_libs() -> Result<PathBuf> {
    Ok(fetch("kafka-streams", &[("libs", &[STREAMS, LOGGER])])?.join("libs"))
}

/// The folder of the cache that holds `libraries` of Kafka's version; Maven fetches them when it is not there.
fn fetch(name: &str, libraries: &[Libraries]) -> Result<PathBuf> {
    let folder = workspace::cache()?.join(format!("{name}-{VERSION}"));
    if folder.join("libs").is_dir() {
        return Ok(folder);
    }
    println!("kafka: fetching the jars of {name} {VERSION} with Maven");
    let partial = workspace::cache()?.join(format!("{name}-{VERSION}.partial-{}", std::process::id()));
    if let Err(error) = copy_dependencies(&partial, libraries) {
        let _ = std::fs::remove_dir_all(&partial);
        return Err(error);
    }
    if std::fs::rename(&partial, &folder).is_err() && !folder.join("libs").is_dir() {
        bail!("cannot move the jars to {}", folder.display());
    }
    let _ = std::fs::remove_dir_all(&partial);
    Ok(folder)
}

fn copy_dependencies(folder: &Path, libraries: &[Libraries]) -> Result<()> {
    for (name, artifacts) in libraries {
        let project = folder.join(format!("{name}-project"));
        std::fs::create_dir_all(&project).with_context(|| format!("cannot write {}", project.display()))?;
        std::fs::write(project.join("pom.xml"), pom(name, artifacts))?;
        process::run(
            Command::new("mvn")
                .current_dir(&project)
                .args([
                    "--quiet",
                    "--batch-mode",
                    "dependency:copy-dependencies",
                    "-DincludeScope=runtime",
                    "-Dstyle.color=never",
                ])
                .arg(format!("-DoutputDirectory={}", folder.join(name).display())),
        )?;
    }
    // The tools shall find one logger-less API; the logger's own copy of it would only be found twice.
    for entry in std::fs::read_dir(folder.join("logging")).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("slf4j-api") {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn pom(name: &str, artifacts: &[Artifact]) -> String {
    let mut dependencies = String::new();
    for (group, artifact, version) in artifacts {
        let _ = writeln!(
            dependencies,
            "    <dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
             <version>{version}</version></dependency>"
        );
    }
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n  <modelVersion>4.0.0</modelVersion>\n  \
         <groupId>headwater</groupId>\n  <artifactId>jars-{name}</artifactId>\n  <version>1</version>\n  \
         <packaging>pom</packaging>\n  <dependencies>\n{dependencies}  </dependencies>\n</project>\n"
    )
}
