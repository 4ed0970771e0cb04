//! Every generated name: one counter for a topology, as in Java, so that names and with them topics and state are the same.

use regex::Regex;

use crate::TopologyError;

/// Counts the generated names of one topology.
#[derive(Debug, Default)]
pub struct Naming {
    next: u32,
}

impl Naming {
    /// The next name with `prefix`: ten digits follow it (Java's `newProcessorName`).
    pub fn next(&mut self, prefix: &str) -> String {
        let name = format!("{prefix}{:010}", self.next);
        self.next += 1;
        name
    }
}

/// The regular expression by which a source names its topics. It matches whole names, as in Java.
///
/// ```
/// use headwater::processor::naming::pattern;
/// assert!(pattern("orders-.*")?.is_match("orders-eu"));
/// assert!(!pattern("orders")?.is_match("orders-eu"));
/// let refused = pattern("(?!internal-).*").unwrap_err().to_string();
/// assert!(refused.contains("look-around"), "{refused}");
/// # Ok::<(), headwater::processor::TopologyError>(())
/// ```
///
/// # Errors
/// [`TopologyError::Invalid`] for what is none, and for what only Java's have: look-around and back-references.
pub fn pattern(text: &str) -> Result<Regex, TopologyError> {
    let refused = |error| TopologyError::Invalid(format!("{text:?} is no regular expression: {error}"));
    // By itself first, so that an error shows what the user wrote.
    Regex::new(text).map_err(refused)?;
    Regex::new(&format!("^(?:{text})$")).map_err(refused)
}

/// Whether `name` may name a node, a store or a topic (Java's `Named#validate` and `Topic#validate`).
///
/// # Errors
/// [`TopologyError::Invalid`] with Java's words.
pub fn validate(name: &str) -> Result<(), TopologyError> {
    const MAX: usize = 249;
    let invalid = |text: String| Err(TopologyError::Invalid(text));
    if name.is_empty() {
        invalid("Name is illegal, it can't be empty".to_owned())
    } else if name == "." || name == ".." {
        invalid("Name cannot be \".\" or \"..\"".to_owned())
    } else if name.len() > MAX {
        invalid(format!("Name is illegal, it can't be longer than {MAX} characters, name: {name}"))
    } else if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        invalid(format!(
            "Name \"{name}\" is illegal, it contains a character other than ASCII alphanumerics, '.', '_' and '-'"
        ))
    } else {
        Ok(())
    }
}
