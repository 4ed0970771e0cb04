//! What a build and a test run need from the machine: found, installed where that is allowed, or named.

mod clang;
mod install;

use std::process::Command;

use anyhow::{Result, bail};

use crate::process;

/// The oldest Java that runs the broker.
const JAVA: u32 = 17;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// What compiles RocksDB and generates its bindings.
    Compilers,
    /// What fetches and runs a broker.
    Broker,
    /// Both.
    Everything,
    /// What looks at a page.
    Browser,
}

/// What the machine has.
#[expect(clippy::struct_excessive_bools, reason = "things that are there or not, each on its own")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    cxx: bool,
    libclang: bool,
    clang_headers: bool,
    java: bool,
    maven: bool,
    node: bool,
    chromium: bool,
}

/// One thing that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Missing {
    what: &'static str,
    /// Debian's packages, first those for its current release; the first list that exists is taken.
    debian: &'static [&'static [&'static str]],
}

const CXX: Missing = Missing { what: "a C++ compiler (`c++`, or what CXX names)", debian: &[&["g++"]] };
const LIBCLANG: Missing = Missing {
    what: "libclang with its headers (LIBCLANG_PATH names its folder where it is in none of the usual places)",
    debian: &[&["libclang1-14", "libclang-common-14-dev"], &["libclang-dev"]],
};
const JDK: Missing = Missing {
    what: "a JDK, 17 or newer (`java` and `javac`)",
    debian: &[&["openjdk-17-jdk-headless"], &["default-jdk-headless"]],
};
const MAVEN: Missing = Missing { what: "Maven (`mvn`)", debian: &[&["maven"]] };
const NODE: Missing = Missing { what: "Node.js with npm (`node` and `npm`)", debian: &[&["nodejs", "npm"]] };
const CHROMIUM: Missing = Missing { what: "Chromium (`chromium`)", debian: &[&["chromium"]] };

/// Finds everything that is needed, and installs what is missing.
///
/// # Errors
/// When something is missing and cannot be installed; the message is the command to type.
pub(crate) fn run(need: Need) -> Result<()> {
    let lacking = missing(need, look());
    if lacking.is_empty() {
        return Ok(());
    }
    for one in &lacking {
        println!("setup: there is no {}", one.what);
    }
    install::packages(&lacking)?;
    let still = missing(need, look());
    if !still.is_empty() {
        let names: Vec<&str> = still.iter().map(|one| one.what).collect();
        bail!("set-up: installed, and still not found: {}", names.join("; "));
    }
    Ok(())
}

fn missing(need: Need, found: Found) -> Vec<Missing> {
    let compilers = [(found.cxx, CXX), (found.libclang && found.clang_headers, LIBCLANG)];
    let broker = [(found.java, JDK), (found.maven, MAVEN)];
    let browser = [(found.node, NODE), (found.chromium, CHROMIUM)];
    let asked: Vec<(bool, Missing)> = match need {
        Need::Compilers => compilers.to_vec(),
        Need::Broker => broker.to_vec(),
        Need::Everything => compilers.into_iter().chain(broker).collect(),
        Need::Browser => browser.to_vec(),
    };
    asked.into_iter().filter(|(there, _)| !there).map(|(_, what)| what).collect()
}

fn look() -> Found {
    let cxx = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let clang = clang::Clang::of_this_machine();
    let java = |program| says(program, "-version").and_then(|text| java_version(&text)).is_some_and(|at| at >= JAVA);
    Found {
        cxx: says(&cxx, "--version").is_some(),
        libclang: clang.library().is_some(),
        clang_headers: clang.headers().is_some(),
        java: java("java") && java("javac"),
        maven: says("mvn", "--version").is_some(),
        node: says("node", "--version").is_some() && says("npm", "--version").is_some(),
        chromium: says("chromium", "--version").is_some(),
    }
}

/// What a program says of itself on either output, if it is there and works.
fn says(program: &str, question: &str) -> Option<String> {
    let done = Command::new(program).arg(question).output().ok().filter(|done| done.status.success())?;
    Some(format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr)))
}

/// 17 of `openjdk version "17.0.15"` or `javac 17.0.15`; 8 of `1.8.0`.
fn java_version(text: &str) -> Option<u32> {
    let digits = text.find(|letter: char| letter.is_ascii_digit())?;
    let mut parts = text.get(digits..)?.split(|letter: char| !letter.is_ascii_digit());
    match parts.next()?.parse().ok()? {
        1 => parts.next()?.parse().ok(),
        version => Some(version),
    }
}

/// Whether packages can be installed without a question, and by which words.
fn privilege() -> Option<&'static [&'static str]> {
    if process::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0") {
        return Some(&[]);
    }
    let free = process::output(Command::new("sudo").args(["-n", "true"])).is_ok();
    free.then_some(&["sudo", "-n"])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Found =
        Found { cxx: true, libclang: true, clang_headers: true, java: true, maven: true, node: true, chromium: true };
    const BARE: Found = Found {
        cxx: false,
        libclang: false,
        clang_headers: false,
        java: false,
        maven: false,
        node: false,
        chromium: false,
    };

    #[test]
    fn nothing_is_missing_from_a_machine_with_everything() {
        assert_eq!(missing(Need::Everything, ALL), []);
    }

    #[test]
    fn a_library_without_its_headers_is_as_good_as_none() {
        assert_eq!(missing(Need::Compilers, Found { clang_headers: false, ..ALL }), [LIBCLANG]);
    }

    #[test]
    fn only_what_is_asked_for_is_missed() {
        assert_eq!(missing(Need::Compilers, BARE), [CXX, LIBCLANG]);
        assert_eq!(missing(Need::Broker, BARE), [JDK, MAVEN]);
        assert_eq!(missing(Need::Everything, BARE), [CXX, LIBCLANG, JDK, MAVEN]);
        assert_eq!(missing(Need::Browser, BARE), [NODE, CHROMIUM]);
    }

    #[test]
    fn java_tells_its_version_in_several_ways() {
        assert_eq!(java_version("openjdk version \"17.0.15\" 2025-04-15"), Some(17));
        assert_eq!(java_version("javac 21\n"), Some(21));
        assert_eq!(java_version("java version \"1.8.0_402\""), Some(8));
        assert_eq!(java_version("nothing"), None);
    }
}
