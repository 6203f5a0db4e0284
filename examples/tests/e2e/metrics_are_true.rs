//! What `/metrics` prints is what `docs/metrics.md` tells, Prometheus takes it, and the alert rules are sound.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::{
    Answer, Content, KIB, MIB, Metrics, Origin, Proxy, Setup, eventually, folder,
};

/// What the table tells of one metric.
#[derive(Debug, PartialEq)]
struct Told {
    kind: String,
    labels: BTreeSet<String>,
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn table() -> BTreeMap<String, Told> {
    let text = fs::read_to_string(docs().join("metrics.md")).expect("the table");
    let rows = text.lines().filter(|line| line.starts_with("| `terrace_"));
    let told = rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [_, name, kind, labels, tells, _] = cells[..] else {
            panic!("{row} has other columns");
        };
        assert!(!tells.is_empty(), "{row}");
        let labels = labels.split(',').map(|it| it.trim().trim_matches('`'));
        let told = Told {
            kind: kind.to_owned(),
            labels: labels
                .filter(|it| !it.is_empty())
                .map(str::to_owned)
                .collect(),
        };
        (name.trim_matches('`').to_owned(), told)
    });
    told.collect()
}

/// A proxy that has done all that is counted only once it is done.
async fn well_used(origin: &Origin, data: &Path) -> Proxy {
    let setup = Setup::new(origin.address, data);
    // Small enough to evict.
    let setup = setup.args([
        "--l0-bytes",
        "1MiB",
        "--l0-gate",
        "256KiB",
        "--gc-interval",
        "1",
    ]);
    let proxy = setup
        .arg("--access-log")
        .arg(data.join("access.log"))
        .start()
        .await;
    let small = Content::new(1, 100 * KIB);
    for page in 0..30 {
        proxy
            .get(&format!("/small/{page}"))
            .await
            .expect(&small)
            .await;
    }
    proxy
        .get("/large")
        .await
        .expect(&Content::new(2, 3 * MIB))
        .await;
    proxy.durable_commits(31).await;
    proxy
        .get("/large")
        .await
        .expect(&Content::new(2, 3 * MIB))
        .await;
    proxy.purge("/small/1").await;
    eventually("the size of the durable tier is known", async || {
        let metrics = proxy.metrics().await;
        metrics.sum("terrace_tier_size_bytes", &[("tier", "L3")]) > 3e6
    })
    .await;
    proxy
}

async fn origin() -> Origin {
    Origin::start(|seen| {
        let content = match seen.path.as_str() {
            "/large" => Content::new(2, 3 * MIB),
            _ => Content::new(1, 100 * KIB),
        };
        Answer::new(content)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_metric_is_in_the_table_and_each_of_the_table_is_printed() {
    let (origin, data) = (origin().await, folder());
    let proxy = well_used(&origin, data.path()).await;
    let metrics = proxy.metrics().await;
    let told = table();
    for (name, kind) in &metrics.types {
        let told = told
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not in the table"));
        assert_eq!(told.kind, *kind, "{name}");
        let labels: BTreeSet<_> = told.labels.iter().map(String::as_str).collect();
        assert_eq!(labels, metrics.labels(name), "{name}");
        assert!(metrics.help.contains_key(name), "{name} has no HELP");
    }
    let printed: BTreeSet<_> = metrics.types.keys().collect();
    let silent: Vec<_> = told.keys().filter(|it| !printed.contains(it)).collect();
    assert!(
        silent.is_empty(),
        "in the table, and not printed: {silent:?}"
    );
    are_plausible(&metrics);
}

fn are_plausible(metrics: &Metrics) {
    let at_least = |name, labels: &[(&str, &str)], least: f64| {
        let sum = metrics.sum(name, labels);
        assert!(sum >= least, "{name}{labels:?} is {sum}, less than {least}");
    };
    let l3 = ("tier", "L3");
    at_least("terrace_tier_stored_bytes_total", &[l3], 6e6);
    at_least("terrace_tier_served_bytes_total", &[l3], 3e6);
    at_least("terrace_tier_stored_bytes_total", &[("tier", "L0")], 3e6);
    at_least("terrace_tier_evictions_total", &[("tier", "L0")], 1.0);
    at_least("terrace_tier_objects", &[("tier", "L0")], 1.0);
    at_least(
        "terrace_admissions_total",
        &[("decision", "admitted")],
        31.0,
    );
    for op in ["lookup", "admit", "write", "commit", "first_byte", "purge"] {
        let name = "terrace_tier_operation_duration_seconds_count";
        at_least(name, &[l3, ("op", op)], 1.0);
    }
    let state = |state| metrics.sum("terrace_tier_breaker_state", &[l3, ("state", state)]);
    assert_eq!((state("closed"), state("open")), (1.0, 0.0));
    // Every lane that began has ended, for nothing is under way.
    for tier in ["L0", "L3"] {
        let began = metrics.sum("terrace_fill_lanes_started_total", &[("tier", tier)]);
        let ended = metrics.sum("terrace_fill_lanes_total", &[("tier", tier)]);
        assert_eq!(
            (began, ended),
            (31.0 - f64::from(tier == "L0"), began),
            "{tier}"
        );
    }
    let hit = metrics.sum("terrace_tier_size_bytes", &[("tier", "L0")]);
    let most = metrics.sum("terrace_tier_capacity_bytes", &[("tier", "L0")]);
    assert!(hit <= most, "{hit} of {most} bytes");
}

/// Runs promtool; `None`, loudly, where there is none; in continuous integration that is a failure.
fn promtool(args: &[&str], input: &str) -> Option<Output> {
    let Some(program) = env::var_os("TERRACE_TEST_PROMTOOL") else {
        let message = "TERRACE_TEST_PROMTOOL names no promtool; `cargo xtask test` sees to that";
        assert!(env::var_os("CI").is_none_or(|ci| ci != "true"), "{message}");
        let line = format!("\n*** SKIPPED a check by promtool: {message} ***\n");
        drop(std::io::stderr().write_all(line.as_bytes()));
        return None;
    };
    let mut child = Command::new(program)
        .args(args)
        .current_dir(docs().join("ops"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool can be run");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    Some(child.wait_with_output().expect("it ends"))
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_finds_nothing_wrong_with_them() {
    let (origin, data) = (origin().await, folder());
    let proxy = well_used(&origin, data.path()).await;
    let text = proxy.admin("/metrics").await.whole().await;
    let text = std::str::from_utf8(&text).expect("metrics are text");
    if let Some(checked) = promtool(&["check", "metrics"], text) {
        assert!(checked.status.success(), "{checked:?}");
        // It would tell of what it does not like even where it succeeds.
        assert!(
            checked.stdout.is_empty() && checked.stderr.is_empty(),
            "{checked:?}"
        );
    }
}

#[test]
fn the_alert_rules_are_sound_and_fire_when_they_should() {
    for args in [
        ["check", "rules", "alerts.yaml"],
        ["test", "rules", "alerts.test.yaml"],
    ] {
        if let Some(checked) = promtool(&args, "") {
            assert!(checked.status.success(), "{args:?}: {checked:?}");
        }
    }
}
