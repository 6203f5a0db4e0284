use std::fs;

use crate::Outcome;
use crate::deny;
use crate::features::declared;
use crate::setup;
use crate::step::step;
use crate::test::test;
use crate::tidy::tidy;
use crate::workspace::{cargo, root};

pub(crate) const LINT_HELP: &str = "\
Runs every check that needs no test: the gates of a commit.

In order: formatting; tidy; clippy of the whole workspace, warnings being errors; the documentation, the same; the facade
with none and with each of its features alone; clippy of each example program with its own features; cargo-deny's checks
of licences, bans and sources. That one needs cargo-deny: without it, it is left out with a loud reason, or with CI=true it is an error.

  --install   first install cargo-deny into a cache under the home folder if it is not there: some minutes, once";

pub(crate) const CI_HELP: &str = "\
Runs every gate, then every test: `lint`, then `test`.

  --install   as for lint";

/// The facade: the one crate whose features are chosen by users.
const FACADE: &str = "terrace";

/// The example programs, each behind the feature of its name.
const WIRINGS: [&str; 5] = ["embedded", "dev", "aws", "global", "onprem"];

pub(crate) fn ci(args: &[String]) -> Outcome {
    lint(args)?;
    test(&[])
}

pub(crate) fn lint(args: &[String]) -> Outcome {
    let install = match args {
        [] => false,
        [flag] if flag == "--install" => true,
        [other, ..] => {
            return Err(format!(
                "unknown argument '{other}': only --install is known"
            ));
        }
    };
    step("formatting", cargo().args(["fmt", "--all", "--check"]))?;
    tidy(&[])?;
    setup::build_tools()?;
    step(
        "clippy",
        cargo()
            .args(["clippy", "--workspace", "--all-targets", "--all-features"])
            .args(["--", "-D", "warnings"]),
    )?;
    step(
        "documentation",
        cargo()
            .args(["doc", "--workspace", "--all-features", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    features()?;
    wirings()?;
    deny::deny(install)
}

fn features() -> Outcome {
    let path = root().join("crates").join(FACADE).join("Cargo.toml");
    let manifest = fs::read_to_string(&path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let features = declared(&manifest);
    if features.is_empty() {
        return Err(format!(
            "{} declares no features: was its form changed?",
            path.display()
        ));
    }
    let check = || {
        let mut check = cargo();
        check.args(["check", "-p", FACADE, "--no-default-features"]);
        check
    };
    step("no feature", &mut check())?;
    for feature in features {
        step(
            &format!("feature {feature} alone"),
            check().args(["--features", feature]),
        )?;
    }
    Ok(())
}

/// What one of them does not use is dead code there, which all features together do not show.
fn wirings() -> Outcome {
    for name in WIRINGS {
        step(
            &format!("wiring {name} alone"),
            cargo()
                .args(["clippy", "-p", "terrace-examples", "--lib", "--bins"])
                .args(["--no-deps", "--no-default-features", "--features", name])
                .args(["--", "-D", "warnings"]),
        )?;
    }
    Ok(())
}
