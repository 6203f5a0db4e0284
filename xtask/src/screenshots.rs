use std::fs;
use std::process::Command;

use crate::Outcome;
use crate::setup;
use crate::step::{step, timed};
use crate::test::release_embedded;
use crate::tools::{CHROMEDRIVER, CHROMIUM, PNGQUANT};
use crate::workspace::{cargo, root, target_dir};

pub(crate) const HELP: &str = "\
Takes the pictures of the status page anew.

Runs the test of the status page in a real browser, which it needs, and keeps what the browser showed in
target/screenshots: each state in each size and scheme. Those that the documents show go to docs/img.";

/// What the documents show.
const SHOWN: [&str; 6] = [
    "status-busy-wide-light",
    "status-busy-wide-dark",
    "status-busy-phone-dark",
    "status-empty-wide-light",
    "status-tier-down-wide-dark",
    "status-tier-down-phone-light",
];

pub(crate) fn screenshots(args: &[String]) -> Outcome {
    if let [other, ..] = args {
        return Err(format!(
            "unknown argument '{other}': screenshots takes none"
        ));
    }
    setup::build_tools()?;
    timed("pngquant", || setup::ensure(&[PNGQUANT]))?;
    timed("chromium", || setup::ensure(&[CHROMIUM, CHROMEDRIVER]))?;
    let embedded = release_embedded()?;
    let taken = target_dir().join("screenshots");
    fs::create_dir_all(&taken).map_err(|error| format!("{}: {error}", taken.display()))?;
    let mut test = cargo();
    test.args([
        "test",
        "-p",
        "terrace-examples",
        "--test",
        "e2e",
        "the_status_page",
    ]);
    test.env("TERRACE_TEST_EMBEDDED", embedded);
    for tool in [CHROMIUM, CHROMEDRIVER] {
        test.env(tool.variable, tool.find().unwrap_or_default());
    }
    test.env("TERRACE_TEST_PICTURES", &taken);
    step("the browser's test", &mut test)?;
    timed("pictures for the documents", || {
        for name in SHOWN {
            let file = format!("{name}.png");
            let (from, to) = (taken.join(&file), root().join("docs/img").join(&file));
            let mut smaller = Command::new(PNGQUANT.find().unwrap_or_default());
            smaller.args(["--force", "--speed", "1", "--strip", "--output"]);
            step(name, smaller.args([to, from]))?;
        }
        Ok(())
    })
}
