//! What a run tells: the first difference of each failing scenario, one line per area, and the counts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use anyhow::Result;

/// How a scenario ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Equal to Java.
    Passed,
    /// What was compared is equal; the rest was left out for this.
    PassedInPart(String),
    /// The first difference, as readable text.
    Failed(String),
    /// Needs what comes later, by name.
    Skipped(String),
    /// Listed by name as what cannot be compared, with the reason.
    Differs(String),
}

/// Passed, failed, skipped; what cannot be compared apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Equal to Java.
    pub passed: usize,
    /// Of these, so many were compared in part.
    pub in_part: usize,
    /// Not equal.
    pub failed: usize,
    /// Not run yet.
    pub skipped: usize,
    /// Listed as what cannot be compared.
    pub differs: usize,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// Collects verdicts and writes them.
pub struct Report<'o> {
    out: &'o mut dyn Write,
    areas: BTreeMap<String, Counts>,
    in_part: BTreeMap<String, usize>,
    skipped: BTreeMap<String, usize>,
    differs: BTreeMap<String, usize>,
    named: BTreeSet<String>,
    all: Counts,
}

impl std::fmt::Debug for Report<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Report").field("all", &self.all).finish_non_exhaustive()
    }
}

impl<'o> Report<'o> {
    /// An empty report that writes there.
    pub fn new(out: &'o mut dyn Write) -> Report<'o> {
        Report {
            out,
            areas: BTreeMap::new(),
            in_part: BTreeMap::new(),
            skipped: BTreeMap::new(),
            differs: BTreeMap::new(),
            named: BTreeSet::new(),
            all: Counts::default(),
        }
    }

    /// Counts a verdict; a failure is written at once.
    ///
    /// # Errors
    /// When writing fails.
    pub fn add(&mut self, area: &str, verdict: Verdict) -> Result<()> {
        let of_area = self.areas.entry(area.to_owned()).or_default();
        let mut count = |field: fn(&mut Counts) -> &mut usize| {
            *field(of_area) += 1;
            *field(&mut self.all) += 1;
        };
        match verdict {
            Verdict::Passed => count(|counts| &mut counts.passed),
            Verdict::PassedInPart(reason) => {
                count(|counts| &mut counts.passed);
                count(|counts| &mut counts.in_part);
                *self.in_part.entry(reason).or_default() += 1;
            }
            Verdict::Differs(reason) => {
                count(|counts| &mut counts.differs);
                *self.differs.entry(reason).or_default() += 1;
            }
            Verdict::Skipped(reason) => {
                count(|counts| &mut counts.skipped);
                *self.skipped.entry(reason).or_default() += 1;
            }
            Verdict::Failed(difference) => {
                count(|counts| &mut counts.failed);
                writeln!(self.out, "{difference}\n")?;
            }
        }
        Ok(())
    }

    /// Names a scenario that passed in part: for a list that is short enough to be looked at.
    pub fn name_in_part(&mut self, scenario: String) {
        self.named.insert(scenario);
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        self.all
    }

    /// Writes the areas, what was skipped for what, and the closing line.
    ///
    /// # Errors
    /// When writing fails.
    pub fn close(self) -> Result<Counts> {
        let Report { out, areas, in_part, skipped, differs, named, all } = self;
        let width = areas.keys().map(String::len).max().unwrap_or_default();
        for (area, counts) in &areas {
            writeln!(out, "{area:width$}  {counts}")?;
        }
        let compared =
            format!("passed: {} whole, {} in part, the rest left out for", all.passed - all.in_part, all.in_part);
        let listed = "not compared, listed by name".to_owned();
        for (what, reasons) in [(compared, in_part), ("skipped for".to_owned(), skipped), (listed, differs)] {
            let each: Vec<String> = reasons.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
            if !each.is_empty() {
                writeln!(out, "{what}: {}", each.join(", "))?;
            }
        }
        if !named.is_empty() {
            writeln!(out, "in part, {}: {}", named.len(), named.into_iter().collect::<Vec<_>>().join(", "))?;
        }
        writeln!(out, "{all}")?;
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_failures_first_then_areas_then_the_counts() {
        let mut out = Vec::new();
        let mut report = Report::new(&mut out);
        report.add("table", Verdict::Passed).unwrap();
        report.add("stateless", Verdict::Failed("x.json: title\n  step 0".to_owned())).unwrap();
        report.add("stateless", Verdict::Passed).unwrap();
        report.add("table", Verdict::Skipped("join".to_owned())).unwrap();
        report.add("table", Verdict::Skipped("join".to_owned())).unwrap();
        report.add("stateless", Verdict::PassedInPart("order".to_owned())).unwrap();
        report.add("table", Verdict::Differs("typed nodes".to_owned())).unwrap();
        report.name_in_part("stateless/y".to_owned());
        let counts = report.close().unwrap();
        assert_eq!(counts, Counts { passed: 3, in_part: 1, failed: 1, skipped: 2, differs: 1 });
        let expected = "x.json: title\n  step 0\n\n\
                        stateless  2 passed, 1 failed, 0 skipped\n\
                        table      1 passed, 0 failed, 2 skipped\n\
                        passed: 2 whole, 1 in part, the rest left out for: order 1\n\
                        skipped for: join 2\n\
                        not compared, listed by name: typed nodes 1\n\
                        in part, 1: stateless/y\n\
                        3 passed, 1 failed, 2 skipped\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
