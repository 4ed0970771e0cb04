//! Tests that failed, told once more in the end: thousands of lines lie between what a test said and the end of a run.

use std::collections::VecDeque;

/// So many lines of each are told from its beginning, and from its end.
const FIRST: usize = 30;
const LAST: usize = 60;

/// What one test said.
#[derive(Debug, Default)]
struct Failure {
    first: Vec<String>,
    left_out: usize,
    last: VecDeque<String>,
}

impl Failure {
    fn take(&mut self, line: &str) {
        if self.first.len() < FIRST {
            self.first.push(line.to_owned());
            return;
        }
        if self.last.len() == LAST {
            self.last.pop_front();
            self.left_out += 1;
        }
        self.last.push_back(line.to_owned());
    }
}

/// Reads what `cargo test` prints, and keeps what failing tests said.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    failures: Vec<Failure>,
    within: bool,
}

impl Failures {
    pub(crate) fn take(&mut self, line: &str) {
        if line.starts_with("---- ") && line.ends_with(" stdout ----") {
            self.failures.push(Failure::default());
            self.within = true;
        } else if line == "failures:" {
            self.within = false;
        }
        if let Some(failure) = self.failures.last_mut().filter(|_| self.within) {
            failure.take(line);
        }
    }

    /// All of them, each under its name.
    pub(crate) fn told(&self) -> String {
        let mut told = String::new();
        for Failure { first, left_out, last } in &self.failures {
            let between = (*left_out > 0).then(|| format!("[{left_out} lines more]"));
            for line in first.iter().chain(&between).chain(last) {
                told.push_str(line);
                told.push('\n');
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: impl IntoIterator<Item = String>) -> String {
        let mut failures = Failures::default();
        lines.into_iter().for_each(|line| failures.take(&line));
        failures.told()
    }

    fn lines(text: &str) -> impl Iterator<Item = String> {
        text.lines().map(str::to_owned)
    }

    #[test]
    fn what_failing_tests_said_is_told_and_nothing_else() {
        let run = "running 3 tests\ntest a ... ok\ntest b ... FAILED\ntest c ... FAILED\n\nfailures:\n\n---- b stdout ----\nwhy b\n\
                   ---- c stdout ----\nwhy c\n\nfailures:\n    b\n    c\n\ntest result: FAILED. 1 passed; 2 failed\nrunning 1 test\ntest d ... ok";
        assert_eq!(told(lines(run)), "---- b stdout ----\nwhy b\n---- c stdout ----\nwhy c\n\n");
        assert_eq!(told(lines("running 1 test\ntest d ... ok\n\ntest result: ok. 1 passed")), "");
    }

    #[test]
    fn of_much_the_beginning_and_the_end_are_told() {
        let said = (0..1000).map(|line| format!("line {line}"));
        let told = told(std::iter::once("---- b stdout ----".to_owned()).chain(said));
        assert_eq!(told.lines().count(), FIRST + 1 + LAST);
        assert!(told.contains("line 28\n[911 lines more]\nline 940\n") && told.ends_with("line 999\n"), "{told}");
    }
}
