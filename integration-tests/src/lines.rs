//! Lines of made-up words, the same for the same seed, and how often each word is in them.

use std::collections::BTreeMap;

/// Draws lines: words with a skewed distribution, as in a language.
#[derive(Clone, Debug)]
pub struct Lines {
    state: u64,
    vocabulary: u64,
}

impl Lines {
    /// Lines of `seed` over so many words.
    pub fn new(seed: u64, vocabulary: u64) -> Self {
        Lines { state: seed.max(1), vocabulary: vocabulary.max(1) }
    }

    fn draw(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    fn word(&mut self) -> String {
        // The product of two fractions prefers small numbers.
        let (a, b) = (self.draw() % self.vocabulary, self.draw() % self.vocabulary);
        format!("w{}", a * b / self.vocabulary)
    }
}

impl Iterator for Lines {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let words = 1 + self.draw() % 8;
        let line: Vec<String> = (0..words).map(|_| self.word()).collect();
        Some(line.join(" "))
    }
}

/// The offline count.
pub fn count<'a>(lines: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for word in lines.into_iter().flat_map(str::split_whitespace) {
        *counts.entry(word.to_owned()).or_insert(0) += 1;
    }
    counts
}
