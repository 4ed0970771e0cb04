//! Kafka's jars, resolved by Maven once per machine.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::VERSION;
use crate::{process, workspace};

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
        let folder = workspace::cache()?.join(format!("kafka-{VERSION}"));
        let jars = Self { folder };
        if jars.libs().is_dir() {
            return Ok(jars);
        }
        println!("kafka: fetching the jars of Kafka {VERSION} with Maven");
        let partial = workspace::cache()?.join(format!("kafka-{VERSION}.partial-{}", std::process::id()));
        let fetched = copy_dependencies(&partial);
        if let Err(error) = fetched {
            let _ = std::fs::remove_dir_all(&partial);
            return Err(error);
        }
        if std::fs::rename(&partial, &jars.folder).is_err() && !jars.libs().is_dir() {
            bail!("cannot move the jars to {}", jars.folder.display());
        }
        let _ = std::fs::remove_dir_all(&partial);
        Ok(jars)
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

fn copy_dependencies(folder: &Path) -> Result<()> {
    for (name, artifacts) in [
        (
            "libs",
            [("org.apache.kafka", "kafka_2.13", VERSION), ("org.apache.kafka", "kafka-tools", VERSION)].as_slice(),
        ),
        ("logging", &[("org.slf4j", "slf4j-simple", "1.7.36")]),
    ] {
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
    for entry in std::fs::read_dir(folder.join("logging"))?.flatten() {
        if entry.file_name().to_string_lossy().starts_with("slf4j-api") {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn pom(name: &str, artifacts: &[(&str, &str, &str)]) -> String {
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
         <groupId>headwater</groupId>\n  <artifactId>broker-{name}</artifactId>\n  <version>1</version>\n  \
         <packaging>pom</packaging>\n  <dependencies>\n{dependencies}  </dependencies>\n</project>\n"
    )
}
