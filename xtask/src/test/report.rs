//! What the conformance tests report: a file for each test program, in which a line is a suite, and how many of its trials
//! passed, failed, and were left out.

use std::collections::BTreeMap;
use std::fs;
use std::ops::AddAssign;
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::workspace::target_dir;

/// Names the folder to the tests.
pub(super) const VARIABLE: &str = "TERRACE_TEST_REPORT";

/// How trials ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Trials {
    pub(super) passed: u64,
    pub(super) failed: u64,
}

impl AddAssign for Trials {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// How the trials of all suites ended, by package and suite.
#[derive(Debug, Default)]
pub(super) struct Reports(BTreeMap<(String, String), Trials>);

/// An empty folder for the reports of one run.
pub(super) fn folder() -> Outcome<PathBuf> {
    let folder = target_dir().join("reports-of-tests");
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(format!("{}: {error}", folder.display()));
        }
        _ => {}
    }
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

impl Reports {
    pub(super) fn read(folder: &Path) -> Outcome<Self> {
        let error = |error: std::io::Error| format!("{}: {error}", folder.display());
        let mut reports = Self::default();
        for entry in fs::read_dir(folder).map_err(error)? {
            let path = entry.map_err(error)?.path();
            let text = fs::read_to_string(&path).map_err(error)?;
            for line in text.lines() {
                reports
                    .add(line)
                    .ok_or_else(|| format!("{}: not understood: {line}", path.display()))?;
            }
        }
        Ok(reports)
    }

    fn add(&mut self, line: &str) -> Option<()> {
        let mut fields = line.split('\t');
        let (package, suite) = (fields.next()?.to_owned(), fields.next()?.to_owned());
        let mut number = || fields.next()?.parse().ok();
        let trials = Trials {
            passed: number()?,
            failed: number()?,
        };
        *self.0.entry((package, suite)).or_default() += trials;
        Some(())
    }

    /// Takes the trials of all suites of `backend`, whose names begin with it.
    pub(super) fn take(&mut self, backend: &str) -> Trials {
        let mut all = Trials::default();
        self.0.retain(|(_, suite), trials| {
            let is_its = suite.split('_').next() == Some(backend);
            if is_its {
                all += *trials;
            }
            !is_its
        });
        all
    }

    /// The trials that nobody took, by package.
    pub(super) fn rest(self) -> BTreeMap<String, Trials> {
        let mut rest = BTreeMap::<_, Trials>::new();
        for ((package, _), trials) in self.0 {
            *rest.entry(package).or_default() += trials;
        }
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_counted_by_backend_and_the_rest_by_package() {
        let mut reports = Reports::default();
        for line in [
            "terrace-redis\tredis_index\t56\t0",
            "terrace-redis\tredis_tier\t90\t2",
            "terrace-redis\tredis-tls_tier\t95\t0",
            "terrace-sqlite\tfull\t56\t0",
        ] {
            reports.add(line).unwrap();
        }
        let trials = |passed, failed| Trials { passed, failed };
        assert_eq!(reports.take("redis"), trials(146, 2));
        assert_eq!(reports.take("redis-tls"), trials(95, 0));
        assert_eq!(reports.take("minio"), Trials::default());
        assert_eq!(
            reports.rest(),
            BTreeMap::from([("terrace-sqlite".to_owned(), trials(56, 0))])
        );
        assert_eq!(Reports::default().add("nonsense"), None);
    }
}
