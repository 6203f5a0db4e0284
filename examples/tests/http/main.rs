//! What the proxy makes of HTTP: tables of cases, each with the section of the RFC that asks for it, over real sockets
//! against the real binary. One proxy serves them all; each case has a URL of its own.
//!
//! `docs/http.md` is the table of requirements. How a case is written: `case.rs`.

#[allow(dead_code, reason = "a language has more words than one book needs")]
mod case;
mod origin;
mod play;
mod proxy;
mod wire;

mod age;
mod conditional;
mod confirmation;
mod directives;
mod freshness;
mod hygiene;
mod invalidation;
mod method;
mod ranges;
mod requests;
mod stale;
mod status;
mod targeted;
mod vary;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Builder;

use case::Case;
use play::Stage;

/// A topic is a file; it is the first part of its cases' names.
fn topics() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        ("age", age::cases()),
        ("freshness", freshness::cases()),
        ("directives", directives::cases()),
        ("targeted", targeted::cases()),
        ("status", status::cases()),
        ("requests", requests::cases()),
        ("stale", stale::cases()),
        ("conditional", conditional::cases()),
        ("confirmation", confirmation::cases()),
        ("hygiene", hygiene::cases()),
        ("invalidation", invalidation::cases()),
        ("method", method::cases()),
        ("ranges", ranges::cases()),
        ("vary", vary::cases()),
    ]
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be built");
    // Only what runs needs a stage: `--list` does not.
    let stage = (!arguments.list).then(|| Arc::new(runtime.block_on(Stage::set())));

    let mut trials = Vec::new();
    for (topic, cases) in topics() {
        for case in cases {
            let name = format!("{topic}: {} (RFC {})", case.name, case.section);
            let number = trials.len();
            let handle = runtime.handle().clone();
            let stage = stage.clone();
            let trial = Trial::test(name, move || {
                let stage = stage.ok_or("nothing runs while tests are listed")?;
                let played = handle.block_on(stage.play(number, &case));
                played.map_err(Failed::from)
            });
            trials.push(trial);
        }
    }
    trials.push(Trial::test(
        "docs/http.md names the sections of the cases",
        || sections_told().map_err(Failed::from),
    ));
    let conclusion = libtest_mimic::run(&arguments, trials);
    if conclusion.has_failed()
        && let Some(stage) = &stage
    {
        eprintln!("{}", stage.log());
    }
    drop(stage);
    conclusion.exit_code()
}

/// The sections in the tables of `docs/http.md` are those of the cases.
fn sections_told() -> Result<(), String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/http.md");
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let cells = text.lines().filter_map(|line| line.strip_prefix("| "));
    let cells = cells.filter_map(|line| line.split(" | ").next());
    let is_section = |cell: &&str| cell.starts_with(|first: char| first.is_ascii_digit());
    let told: BTreeSet<&str> = cells.filter(is_section).collect();
    let cases = topics().into_iter().flat_map(|(_, cases)| cases);
    let tested: BTreeSet<&str> = cases.map(|case| case.section).collect();
    let odd: Vec<_> = told.symmetric_difference(&tested).collect();
    if odd.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{odd:?}: either in the tables of docs/http.md or in a case, not in both"
    ))
}
