//! Errors: phase, step and kind are Java's; so are the words for mistakes in a program or its settings.

use super::Difference;
use crate::outcome::{Failure, Kind};

/// What Java's topology errors begin with; the text after it is what counts.
const INVALID: &str = "Invalid topology: ";

/// Phase, step and kind.
pub(super) fn same_place_and_kind(java: Option<&Failure>, here: Option<&Failure>) -> Result<(), Difference> {
    let same = match (java, here) {
        (None, None) => true,
        (Some(java), Some(here)) => java.phase == here.phase && java.kind == here.kind,
        _ => false,
    };
    if same { Ok(()) } else { Err(difference("error", java, here)) }
}

/// The words: for a bad topology, argument or setting Java's message comes first (more may follow it), and what a function
/// of the scenario raised is among the causes. Class names, stack traces and the wording of the runtime are each side's own.
pub(super) fn same_words(java: Option<&Failure>, here: Option<&Failure>) -> Result<(), Difference> {
    let (Some(left), Some(right)) = (java, here) else { return Ok(()) };
    let words = |failure: &'_ Failure| failure.message.trim_start_matches(INVALID).to_owned();
    if left.kind.has_javas_words() && !words(right).starts_with(&words(left)) {
        return Err(difference("words of the error", java, here));
    }
    for (kind, message) in &left.causes {
        let told = || right.causes.iter().any(|(_, cause)| cause.contains(message)) || right.message.contains(message);
        if *kind == Kind::User && !told() {
            return Err(difference("reason of the error", java, here));
        }
    }
    Ok(())
}

fn difference(place: &str, java: Option<&Failure>, here: Option<&Failure>) -> Difference {
    let shown = |failure: Option<&Failure>| failure.map_or("no error".to_owned(), ToString::to_string);
    Difference::new(place, shown(java), shown(here))
}
