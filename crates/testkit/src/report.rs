//! What the trials of this program came to, for whoever started it.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use parking_lot::Mutex;

/// Names the folder in which the report is left.
const FOLDER: &str = "TERRACE_TEST_REPORT";

/// Trials that passed and failed, by suite.
static ENDED: Mutex<BTreeMap<String, [u64; 2]>> = Mutex::new(BTreeMap::new());

/// A trial of `suite` has ended.
pub(crate) fn note(suite: String, has_passed: bool) {
    let mut ended = ENDED.lock();
    let counts = ended.entry(suite).or_default();
    counts[usize::from(!has_passed)] += 1;
}

/// Leaves the report where it is wanted, if it is: a line for each suite, with the package, the suite, and how many trials
/// passed and failed, separated by tabs.
pub(crate) fn write() -> io::Result<()> {
    let Some(folder) = env::var_os(FOLDER) else {
        return Ok(());
    };
    // Cargo says so to the programs it runs.
    let package = env::var("CARGO_PKG_NAME").unwrap_or_else(|_| "unknown".to_owned());
    let file = format!("{package}-{}.tsv", std::process::id());
    fs::write(
        Path::new(&folder).join(file),
        lines(&package, &ENDED.lock()),
    )
}

fn lines(package: &str, ended: &BTreeMap<String, [u64; 2]>) -> String {
    let mut lines = String::new();
    for (suite, [passed, failed]) in ended {
        // Writing to a string does not fail.
        let _ = writeln!(lines, "{package}\t{suite}\t{passed}\t{failed}");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_is_a_line() {
        let ended = [("a_index", [56, 1]), ("a_tier", [95, 0])];
        let ended = ended.map(|(suite, counts)| (suite.to_owned(), counts));
        assert_eq!(
            lines("package", &ended.into()),
            "package\ta_index\t56\t1\npackage\ta_tier\t95\t0\n"
        );
    }
}
