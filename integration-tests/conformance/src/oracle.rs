//! Java Kafka Streams itself: the program in `oracle/`, built with Maven into the user's cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::suite::{files, package};

/// The built oracle.
#[derive(Clone, Debug)]
pub struct Oracle {
    built: PathBuf,
}

impl Oracle {
    /// Compiles it, and lets Maven fetch Kafka's jars the first time.
    ///
    /// # Errors
    /// When there is no Maven or no JDK 17, or the build fails.
    pub fn build() -> Result<Oracle> {
        let built = cache()?.join("conformance-oracle");
        let pom = package().join("oracle").join("pom.xml");
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "-f"]).arg(pom).arg(format!("-Doracle.target={}", built.display())).arg("package");
        run(&mut maven).context("building the oracle needs Maven and a JDK 17")?;
        Ok(Oracle { built })
    }

    fn java(&self) -> Command {
        let mut java = Command::new("java");
        java.arg("-jar").arg(self.built.join("oracle.jar"));
        java
    }

    /// Records what Java does for those scenarios that say nothing of it yet, and names them.
    ///
    /// # Errors
    /// When Java fails.
    pub fn record_new(&self, scenarios: &Path) -> Result<Vec<PathBuf>> {
        let mut new = Vec::new();
        for file in files(scenarios)? {
            let text = std::fs::read_to_string(&file)?;
            let value: serde_json::Value = serde_json::from_str(&text).with_context(|| file.display().to_string())?;
            if value.get("expected").is_none() {
                new.push(file);
            }
        }
        if !new.is_empty() {
            run(self.java().arg("record").args(&new))?;
        }
        Ok(new)
    }

    /// Runs every scenario again and fails when Java does something else than is recorded.
    ///
    /// # Errors
    /// When a scenario differs; Java has printed which.
    pub fn check(&self, scenarios: &Path) -> Result<()> {
        run(self.java().arg("check").arg(scenarios))
    }

    /// Writes random scenarios of the seeds from `seed` on, with what Java did, and tells their files in order.
    ///
    /// # Errors
    /// When Java fails.
    pub fn generate(&self, seed: u64, count: usize, folder: &Path) -> Result<Vec<PathBuf>> {
        let mut java = self.java();
        java.args(["generate", "--seed", &seed.to_string(), "--count", &count.to_string()]).arg(folder);
        // It prints how many it made, which the caller says better.
        run(java.stdout(std::process::Stdio::null()))?;
        Ok((seed..).take(count).map(|seed| folder.join(format!("seed-{seed}.json"))).collect())
    }
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("`{name}` does not start"))?;
    if !status.success() {
        bail!("`{name}` ended with {status}");
    }
    Ok(())
}

/// The user's cache of this project, as `cargo xtask` uses it.
fn cache() -> Result<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("HEADWATER_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|folder| folder.join("headwater")))
        .or_else(|| variable("HOME").map(|folder| folder.join(".cache").join("headwater")))
        .context("no place for a cache: set HOME, XDG_CACHE_HOME or HEADWATER_CACHE")
}
