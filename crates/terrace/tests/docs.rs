//! The repository's documents, and the facade, agree with the code.
//!
//! Not part of the published crate: there is no repository around that.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every document, and every Rust file, of the repository.
struct Tree {
    root: PathBuf,
    files: Vec<(PathBuf, String)>,
}

impl Tree {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root = root.canonicalize().unwrap();
        let mut tree = Self {
            files: Vec::new(),
            root: root.clone(),
        };
        tree.walk(&root);
        assert!(tree.files.len() > 100, "this is not the repository");
        tree
    }

    fn walk(&mut self, dir: &Path) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && !["target", "terrace-data", "corpus"].contains(&&*name)
                {
                    self.walk(&path);
                }
                continue;
            }
            let extension = path.extension().unwrap_or_default();
            if ["md", "rs", "mmd", "toml"]
                .iter()
                .any(|wanted| extension == *wanted)
            {
                let text = fs::read_to_string(&path).unwrap();
                self.files.push((path, text));
            }
        }
    }

    fn with_extension(&self, extension: &str) -> impl Iterator<Item = (&Path, &str)> {
        let files = self.files.iter();
        files
            .filter(move |(path, _)| path.extension().is_some_and(|it| it == extension))
            .map(|(path, text)| (path.as_path(), text.as_str()))
    }

    fn text(&self, path: &str) -> &str {
        let path = self.root.join(path);
        let found = self.files.iter().find(|(known, _)| *known == path);
        &found.unwrap_or_else(|| panic!("no {}", path.display())).1
    }
}

/// The pieces of `text` between `begin` and `end`.
fn between<'a>(text: &'a str, begin: &'a str, end: char) -> impl Iterator<Item = &'a str> {
    text.split(begin)
        .skip(1)
        .filter_map(move |rest| rest.split_once(end))
        .map(|(inner, _)| inner)
}

/// The words of `text`, made of letters, digits and underscores, that begin with `prefix`.
fn words<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(|it: char| !(it.is_ascii_alphanumeric() || it == '_'))
        .filter(move |word| word.starts_with(prefix))
}

/// What GitHub makes of a heading.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading
        .chars()
        .filter(|it| it.is_alphanumeric() || " -_".contains(*it));
    kept.map(|it| if it == ' ' { '-' } else { it }).collect()
}

#[test]
fn links_between_documents_resolve() {
    let tree = Tree::read();
    let mut broken = Vec::new();
    for (path, text) in tree.with_extension("md") {
        for link in between(text, "](", ')').filter(|link| !link.contains("://")) {
            let (file, section) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => path.to_owned(),
                file => path.parent().unwrap().join(file),
            };
            let is_there = section.is_empty()
                || fs::read_to_string(&target).is_ok_and(|text| {
                    let mut headings = text.lines().filter(|line| line.starts_with('#'));
                    headings.any(|heading| anchor(heading) == section)
                });
            if !target.exists() || !is_there {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn diagrams_stand_in_the_pages_as_they_are_in_their_files() {
    let tree = Tree::read();
    let pages: Vec<_> = tree.with_extension("md").map(|(_, text)| text).collect();
    let blocks: BTreeSet<_> = pages
        .iter()
        .flat_map(|page| page.split("```mermaid\n").skip(1))
        .filter_map(|rest| rest.split_once("```"))
        .map(|(block, _)| block)
        .collect();
    let diagrams: BTreeSet<_> = tree.with_extension("mmd").map(|(_, text)| text).collect();
    assert!(diagrams.len() >= 7);
    assert_eq!(diagrams, blocks);
}

#[test]
fn the_crate_graph_is_that_of_the_manifests() {
    let tree = Tree::read();
    let drawn: BTreeSet<_> = tree
        .text("docs/diagrams/crates.mmd")
        .lines()
        .filter_map(|line| line.split_once("-->"))
        .map(|(from, to)| (from.trim().to_owned(), to.trim().to_owned()))
        .collect();
    let mut declared = BTreeSet::new();
    for (path, text) in tree.with_extension("toml") {
        let crates = tree.root.join("crates");
        let is_crate = path.parent().unwrap().parent() == Some(&crates);
        if path.file_name().unwrap() != "Cargo.toml" || !is_crate {
            continue;
        }
        let from = path.parent().unwrap().file_name().unwrap();
        let dependencies = text
            .lines()
            .skip_while(|line| *line != "[dependencies]")
            .skip(1);
        for line in dependencies.take_while(|line| !line.starts_with('[')) {
            let name = line.split([' ', '.', '=']).next().unwrap();
            if let Some(to) = name.strip_prefix("terrace-") {
                declared.insert((from.to_string_lossy().into_owned(), to.to_owned()));
            }
        }
    }
    assert_eq!(drawn, declared);
}

#[test]
fn the_metrics_told_are_those_counted() {
    let tree = Tree::read();
    let told: BTreeSet<_> = tree
        .text("docs/metrics.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `terrace_")?.split_once('`'))
        .map(|(name, _)| format!("terrace_{name}"))
        .collect();
    let is_source = |path: &Path| {
        let path = path.strip_prefix(&tree.root).unwrap();
        let parts: Vec<_> = path
            .components()
            .map(std::path::Component::as_os_str)
            .collect();
        parts.len() > 2 && parts[0] == "crates" && parts[2] == "src" && !path.ends_with("tests.rs")
    };
    let counted: BTreeSet<_> = tree
        .with_extension("rs")
        .filter(|(path, _)| is_source(path))
        .flat_map(|(_, text)| between(text, "\"terrace_", '"'))
        .filter(|name| name.bytes().all(|it| it.is_ascii_lowercase() || it == b'_'))
        .map(|name| format!("terrace_{name}"))
        .collect();
    assert_eq!(told, counted);
}

#[test]
fn dashboard_and_alerts_use_metrics_that_there_are() {
    let tree = Tree::read();
    let table = tree.text("docs/metrics.md");
    for file in ["grafana-dashboard.json", "alerts.yaml", "alerts.test.yaml"] {
        let text = fs::read_to_string(tree.root.join("docs/ops").join(file)).unwrap();
        let used: BTreeSet<_> = words(&text, "terrace_").collect();
        assert!(used.len() > 10, "{file}");
        for name in used {
            let is_there = |name: &str, kind: &str| table.contains(&format!("| `{name}` | {kind}"));
            let of_histogram = ["_bucket", "_sum", "_count"]
                .iter()
                .filter_map(|part| name.strip_suffix(part))
                .any(|base| is_there(base, "histogram"));
            let is_there = is_there(name, "counter") || is_there(name, "gauge");
            assert!(is_there || of_histogram, "{file}: {name}");
        }
    }
}

#[test]
fn every_alert_has_its_tests_and_its_section_in_the_runbook() {
    let tree = Tree::read();
    let text = |name| fs::read_to_string(tree.root.join("docs/ops").join(name)).unwrap();
    let (rules, tests) = (text("alerts.yaml"), text("alerts.test.yaml"));
    let alerts: Vec<_> = between(&rules, "- alert: ", '\n').collect();
    assert!(alerts.len() >= 10);
    let runbook = tree.text("docs/operations.md");
    let told: Vec<_> = between(runbook, "\n#### ", '\n')
        .filter(|heading| heading.starts_with("Terrace"))
        .collect();
    assert_eq!(told, alerts, "in the same order");
    for alert in alerts {
        let link = format!("docs/operations.md#{}\n", anchor(alert));
        assert_eq!(rules.matches(&link).count(), 1, "{alert}");
        // Once it fires, once it does not.
        let tested = tests.matches(&format!("alertname: {alert}\n")).count();
        assert_eq!(tested, 2, "{alert}");
    }
}

#[test]
fn every_test_a_document_names_is_there() {
    let tree = Tree::read();
    let mut defined = BTreeSet::new();
    for (_, text) in tree.with_extension("rs") {
        defined.extend(between(text, "fn ", '('));
    }
    for document in ["docs/promises.md", "CONTRIBUTING.md"] {
        let quoted = tree.text(document).split('`').skip(1).step_by(2);
        let is_word = |it: &&str| {
            it.bytes()
                .all(|it| it.is_ascii_alphanumeric() || it == b'_')
        };
        let named = quoted.filter(is_word);
        let named = named.filter(|name| name.matches('_').count() > 2);
        let missing: Vec<_> = named.filter(|name| !defined.contains(name)).collect();
        assert!(missing.is_empty(), "{document}: {missing:#?}");
    }
    for id in 1..=12 {
        let heading = format!("## P{id}: ");
        assert!(
            tree.text("docs/promises.md").contains(&heading),
            "{heading}"
        );
    }
}

#[test]
fn every_option_of_the_example_is_told() {
    let tree = Tree::read();
    let mut options = BTreeSet::new();
    for path in [
        "examples/src/cli.rs",
        "examples/src/cli/log.rs",
        "examples/src/cli/tiers.rs",
        "examples/src/backends/local.rs",
    ] {
        options.extend(between(tree.text(path), "env = \"", '"'));
    }
    assert!(options.len() >= 10);
    let readme = tree.text("README.md");
    let missing: Vec<_> = options
        .iter()
        .filter(|it| !readme.contains(&format!("`{it}`")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_setting_of_the_backends_is_told() {
    let tree = Tree::read();
    let told = tree.text("docs/configuration.md");
    let mut missing = Vec::new();
    for (path, text) in tree.with_extension("rs") {
        let Ok(file) = path.strip_prefix("examples/src") else {
            continue;
        };
        let section = match (file.parent().and_then(Path::to_str), file.file_stem()) {
            (Some("backends"), Some(backend)) if backend != "local" => backend.to_str().unwrap(),
            (Some("cli"), Some(stem)) if stem == "shared" => "tiers",
            _ => continue,
        };
        for variable in between(text, "env = \"", '"') {
            let prefix = format!("TERRACE_{}_", section.to_uppercase());
            let key = variable.strip_prefix(&prefix);
            let key = key.or_else(|| variable.strip_prefix("TERRACE_")).unwrap();
            let row = format!("| `{section}.{}` | `{variable}` |", key.to_lowercase());
            if !told.contains(&row) {
                missing.push(row);
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn the_facade_leaves_nothing_out() {
    let tree = Tree::read();
    let facade = ["src/lib.rs", "src/backend.rs"].map(|file| format!("crates/terrace/{file}"));
    let named: BTreeSet<_> = facade
        .iter()
        .flat_map(|file| words(tree.text(file), ""))
        .collect();
    let mut missing = Vec::new();
    for name in ["core", "policy", "tiers"] {
        let path = format!("crates/{name}/src/lib.rs");
        let exports = between(tree.text(&path), "\npub use ", ';');
        let items = exports.flat_map(|list| list.split_once("::").unwrap().1.split(','));
        let items = items.map(|item| item.trim_matches(|it: char| !it.is_ascii_alphanumeric()));
        missing.extend(items.filter(|item| !item.is_empty() && !named.contains(item)));
    }
    assert!(missing.is_empty(), "{missing:?}");
}
