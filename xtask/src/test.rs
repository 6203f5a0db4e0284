use std::env;
use std::path::PathBuf;
use std::process::Command;

use crate::Outcome;
use crate::services::{Backend, ForTests};
use crate::setup;
use crate::step::step;
use crate::tools::{CHROMEDRIVER, CHROMIUM, NGINX, PROMTOOL};
use crate::workspace::{cargo, target_dir};

use failures::Failures;
use report::Reports;
use required::Required;
use table::Table;

mod failures;
mod report;
mod required;
mod table;

pub(crate) const HELP: &str = "\
Runs every test, end to end ones included.

Sets up as `cargo xtask run` does, and installs a real web server (the distribution's nginx) for the end-to-end tests: where
it cannot be had, they are left out with a loud reason, or with CI=true it is an error. So it is with promtool (the
distribution's prometheus), for the alert rules, and with a browser (its Chromium), for the status page. To use others, name
them by the variables below. Gets and starts the servers that adapters are tested against (see cargo xtask services), and
stops them when it ends, in whatever way. Builds the embedded proxy in release for the end-to-end tests, then runs `cargo
test --workspace --all-targets` and the doc tests, with the proxies over other stores (the feature `wirings` of the
examples). At the end it says again what failed, where that went into a log, and then in a table on which backends the
adapters were tried, and how many trials passed.

  --require NAMES         all, or some of them, as redis,minio: one that cannot be had, or on which nothing was tried, is
                          an error, if the chosen packages are tried on it at all. With CI=true it is an error in any
                          case that one cannot be had.

Other ARGS go to `cargo test`. With -p, only those packages; with --test, --lib, --doc and their like, only those targets.
The tests see:
  TERRACE_TEST_NGINX      the web server, where there is one
  TERRACE_TEST_PROMTOOL   promtool, likewise
  TERRACE_TEST_CHROMIUM, TERRACE_TEST_CHROMEDRIVER
                          the browser and what steers it, likewise
  TERRACE_TEST_EMBEDDED   the embedded proxy
  TERRACE_TEST_SERVICES   this program, by which a test starts, kills and revives servers of its own
  TERRACE_TEST_REPORT     the folder in which conformance tests leave their figures, for the table
  and the variables of each server, as `cargo xtask services up` prints them";

/// The packages whose tests run the proxy, with a web server and a browser.
const END_TO_END: &[&str] = &["terrace-examples"];

pub(crate) fn test(args: &[String]) -> Outcome {
    let (required, args) = Required::taken_from(args)?;
    setup::build_tools()?;
    let mut common = if names(&args, END_TO_END) {
        found_for_tests()?
    } else {
        Vec::new()
    };
    let wanted = |backend: &Backend| names(&args, backend.packages());
    let servers = ForTests::start(wanted, |backend| required.or_ci(backend))?;
    if names(&args, END_TO_END) {
        common.push(("TERRACE_TEST_EMBEDDED", release_embedded()?));
    }
    let reports = report::folder()?;
    common.push((report::VARIABLE, reports.clone()));
    let this = env::current_exe().map_err(|error| format!("where is this program? {error}"))?;
    common.push(("TERRACE_TEST_SERVICES", this));

    let failures = Failures::default();
    let outcome = run_passes(&args, &failures, |test| {
        test.envs(common.iter().cloned())
            .envs(servers.variables.iter().cloned());
    });
    // Also when a test has failed: it says on which backend.
    let table = Table::new(&servers.states, Reports::read(&reports)?, &required);
    eprint!("{failures}\n{table}\n");
    outcome.and(table.check())
}

fn run_passes(args: &[String], failures: &Failures, prepare: impl Fn(&mut Command)) -> Outcome {
    for Pass { name, args } in passes(args) {
        let mut test = cargo();
        test.arg("test").args(args);
        prepare(&mut test);
        failures.step(name, &mut test)?;
    }
    Ok(())
}

/// Builds the embedded proxy in release, and says where it is.
pub(crate) fn release_embedded() -> Outcome<PathBuf> {
    step(
        "build the embedded proxy",
        cargo().args([
            "build",
            "--release",
            "-p",
            "terrace-examples",
            "--bin",
            "embedded",
        ]),
    )?;
    let embedded = target_dir().join("release").join("embedded");
    if !embedded.is_file() {
        return Err(format!(
            "cargo built no {}: does its configuration set `build.target` or `build.target-dir`? Name the target \
             folder by CARGO_TARGET_DIR",
            embedded.display()
        ));
    }
    Ok(embedded)
}

/// Whether the tests of one of `packages` are among those that `args` ask for.
fn names(args: &[String], packages: &[&str]) -> bool {
    let mut chosen = args
        .windows(2)
        .filter(|pair| pair[0] == "-p" || pair[0] == "--package")
        .map(|pair| pair[1].as_str())
        .chain(args.iter().filter_map(|arg| arg.strip_prefix("--package=")))
        .peekable();
    chosen.peek().is_none() || chosen.any(|package| packages.contains(&package))
}

/// The programs some tests need, by the variables that name them.
fn found_for_tests() -> Outcome<Vec<(&'static str, PathBuf)>> {
    const BROWSED: &str = "end-to-end tests in a browser";
    let wanted = [
        (NGINX, "end-to-end tests against nginx"),
        (PROMTOOL, "checks of alert rules and metrics by promtool"),
        (CHROMIUM, BROWSED),
        (CHROMEDRIVER, BROWSED),
    ];
    let mut found = Vec::new();
    for (tool, tests) in wanted {
        if let Some(path) = setup::for_tests(tool, tests)? {
            found.push((tool.variable, path));
        }
    }
    Ok(found)
}

#[derive(Debug, PartialEq, Eq)]
struct Pass {
    name: &'static str,
    args: Vec<String>,
}

/// The runs of `cargo test` that `args` amount to: doc tests need one of their own.
fn passes(args: &[String]) -> Vec<Pass> {
    let own = args
        .iter()
        .position(|arg| arg == "--")
        .unwrap_or(args.len());
    let chosen = |flags: &[&str]| {
        let is = |arg: &String| flags.contains(&arg.split('=').next().unwrap_or(arg));
        args[..own].iter().any(is)
    };
    let packages = if chosen(&["-p", "--package", "--workspace", "--all"]) {
        None
    } else {
        Some("--workspace")
    };
    // The binaries beside `embedded` are built for their tests.
    let wirings = names(args, &["terrace-examples"])
        && !chosen(&[
            "--features",
            "-F",
            "--all-features",
            "--no-default-features",
        ]);
    let wirings = wirings.then_some("--features=terrace-examples/wirings");
    let pass = |name, targets: Option<&str>| Pass {
        name,
        args: packages
            .into_iter()
            .chain(targets)
            .chain(wirings)
            .map(str::to_owned)
            .chain(args.iter().cloned())
            .collect(),
    };
    let targets = [
        "--lib",
        "--bins",
        "--bin",
        "--tests",
        "--test",
        "--examples",
        "--example",
        "--benches",
        "--bench",
        "--all-targets",
        "--doc",
    ];
    if chosen(&targets) {
        return vec![pass("tests", None)];
    }
    vec![
        pass("tests", Some("--all-targets")),
        pass("doc tests", Some("--doc")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(args: &str) -> Vec<String> {
        let args: Vec<_> = args.split_whitespace().map(str::to_owned).collect();
        let passes = passes(&args).into_iter();
        passes.map(|pass| pass.args.join(" ")).collect()
    }

    #[test]
    fn everything_unless_told_otherwise() {
        assert_eq!(
            lines(""),
            [
                "--workspace --all-targets --features=terrace-examples/wirings",
                "--workspace --doc --features=terrace-examples/wirings"
            ]
        );
        assert_eq!(
            lines("purge -- --nocapture"),
            [
                "--workspace --all-targets --features=terrace-examples/wirings purge -- --nocapture",
                "--workspace --doc --features=terrace-examples/wirings purge -- --nocapture"
            ]
        );
    }

    #[test]
    fn packages_and_targets_narrow_it() {
        assert_eq!(
            lines("-p terrace-policy"),
            ["--all-targets -p terrace-policy", "--doc -p terrace-policy"]
        );
        assert_eq!(
            lines("--test=e2e"),
            ["--workspace --features=terrace-examples/wirings --test=e2e"]
        );
        assert_eq!(
            lines("-p terrace-examples --features dev --test=wirings"),
            ["-p terrace-examples --features dev --test=wirings"]
        );
        assert_eq!(lines("--package=x --doc"), ["--package=x --doc"]);
    }

    #[test]
    fn servers_are_started_for_those_who_need_them() {
        let needs = |args: &str| {
            let args: Vec<_> = args.split_whitespace().map(str::to_owned).collect();
            names(&args, &["terrace-redis"])
        };
        assert!(needs("") && needs("-p terrace-core -p terrace-redis"));
        assert!(needs("--test conformance") && needs("--package=terrace-redis"));
        assert!(!needs("-p terrace-core"));
    }

    #[test]
    fn what_follows_two_dashes_is_the_test_programs() {
        assert_eq!(
            lines("-- --test -p"),
            [
                "--workspace --all-targets --features=terrace-examples/wirings -- --test -p",
                "--workspace --doc --features=terrace-examples/wirings -- --test -p"
            ]
        );
    }
}
