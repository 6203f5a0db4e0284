//! What `cargo xtask test` ends with: which backends the adapters were tried on.

use std::fmt;

use super::report::{Reports, Trials};
use super::required::Required;
use crate::Outcome;
use crate::services::{Backend, State};

pub(super) struct Table {
    rows: Vec<Row>,
    /// Those that were required, and on which nothing was tried.
    missing: Vec<&'static str>,
}

struct Row {
    backend: String,
    version: String,
    trials: String,
}

impl Table {
    pub(super) fn new(
        states: &[(&'static Backend, State)],
        mut reports: Reports,
        required: &Required,
    ) -> Self {
        let mut table = Self {
            rows: Vec::new(),
            missing: Vec::new(),
        };
        for (backend, state) in states {
            let trials = reports.take(backend.name());
            if required.has(backend) && trials == Trials::default() {
                table.missing.push(backend.name());
            }
            let version = match state {
                State::Started => backend.version().unwrap_or_else(|| "unknown".to_owned()),
                State::Named => "as named".to_owned(),
                State::Skipped(_) => "-".to_owned(),
            };
            let trials = match state {
                State::Skipped(reason) => {
                    format!("SKIPPED: {}", reason.lines().next().unwrap_or_default())
                }
                _ => shown(trials),
            };
            table.push(backend.name(), version, trials);
        }
        for (package, trials) in reports.rest() {
            table.push(&package, "in process".to_owned(), shown(trials));
        }
        table
    }

    fn push(&mut self, backend: &str, version: String, trials: String) {
        self.rows.push(Row {
            backend: backend.to_owned(),
            version,
            trials,
        });
    }

    /// An error if something that was required was not tried.
    pub(super) fn check(&self) -> Outcome {
        if self.missing.is_empty() {
            return Ok(());
        }
        Err(format!(
            "required, and no trial of it ran: {}",
            self.missing.join(", ")
        ))
    }
}

fn shown(Trials { passed, failed }: Trials) -> String {
    match (passed, failed) {
        (0, 0) => "none ran".to_owned(),
        (passed, 0) => format!("{passed} passed"),
        (passed, failed) => format!("{passed} passed, {failed} FAILED"),
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = |column: fn(&Row) -> &str| {
            let widths = self.rows.iter().map(|row| column(row).chars().count());
            widths.max().unwrap_or(0)
        };
        let backend = widest(|row| &row.backend).max("backend".len());
        let version = widest(|row| &row.version).max("version".len());
        writeln!(f, "{:backend$}  {:version$}  trials", "backend", "version")?;
        for row in &self.rows {
            let Row {
                backend: name,
                version: number,
                trials,
            } = row;
            writeln!(f, "{name:backend$}  {number:version$}  {trials}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::BACKENDS;

    #[test]
    fn a_required_backend_that_was_not_tried_is_an_error() {
        let args = ["--require=all".to_owned()];
        let (required, _) = Required::taken_from(&args).unwrap();
        let skipped = State::Skipped("there is no apt-get\nsay that again".to_owned());
        let table = Table::new(&[(&BACKENDS[0], skipped)], Reports::default(), &required);
        assert!(
            table.to_string().contains("SKIPPED: there is no apt-get\n"),
            "{table}"
        );
        assert!(table.check().unwrap_err().contains(BACKENDS[0].name()));
        let table = Table::new(&[], Reports::default(), &Required::default());
        assert_eq!(table.check(), Ok(()));
    }
}
