use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Outcome;
use crate::step::timed;
use crate::workspace::root;

pub(crate) const HELP: &str = "\
Checks what no other tool does.

  - no Rust file over 450 lines, unless a comment in it begins with `tidy: long because`
  - every crate has a README.md and a CHANGELOG.md with an [Unreleased] section, inherits the workspace's lints, and
    stands in a table of the top README.md
  - no path of one machine in any tracked file";

const MAX_LINES: usize = 450;
const LONG_NOTE: &str = "// tidy: long because ";

pub(crate) fn tidy(args: &[String]) -> Outcome {
    if let [other, ..] = args {
        return Err(format!("unknown argument '{other}': tidy takes none"));
    }
    timed("tidy", || {
        let root = root();
        let files = tracked(&root)?;
        let findings = findings(&files, &own_paths(&root));
        if findings.is_empty() {
            return Ok(());
        }
        Err(format!("\n  {}", findings.join("\n  ")))
    })
}

/// A tracked text file.
struct File {
    /// From the top folder.
    path: String,
    text: String,
}

fn tracked(root: &Path) -> Outcome<Vec<File>> {
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cannot run git: {error}"))?;
    if !listed.status.success() {
        let error = String::from_utf8_lossy(&listed.stderr);
        return Err(format!("tidy needs a git checkout: {}", error.trim()));
    }
    let paths = String::from_utf8_lossy(&listed.stdout);
    let paths = paths.split_terminator('\0');
    // What is no text, or was deleted but not yet committed, has nothing to be checked.
    let files = paths.filter_map(|path| {
        Some(File {
            path: path.to_owned(),
            text: fs::read_to_string(root.join(path)).ok()?,
        })
    });
    Ok(files.collect())
}

/// The paths of this machine that are known.
fn own_paths(root: &Path) -> Vec<String> {
    [Some(root.as_os_str().to_owned()), env::var_os("HOME")]
        .into_iter()
        .flatten()
        .filter_map(|path| path.into_string().ok())
        .filter(|path| path.len() > 1)
        .map(|path| path + "/")
        .collect()
}

fn findings(files: &[File], own_paths: &[String]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files {
        findings.extend(too_long(file));
        findings.extend(machine_path(file, own_paths));
    }
    let manifests = files.iter().filter_map(|file| {
        let name = file
            .path
            .strip_prefix("crates/")?
            .strip_suffix("/Cargo.toml")?;
        (!name.contains('/')).then_some((name, file))
    });
    for (name, manifest) in manifests {
        findings.extend(unfurnished(name, manifest, files));
    }
    findings
}

fn too_long(file: &File) -> Option<String> {
    let lines = file.text.lines().count();
    let is_rust = Path::new(&file.path)
        .extension()
        .is_some_and(|extension| extension == "rs");
    let excused = || {
        file.text
            .lines()
            .any(|line| line.trim_start().starts_with(LONG_NOTE))
    };
    (is_rust && lines > MAX_LINES && !excused()).then(|| {
        format!(
            "{}: {lines} lines: does it still hold one idea? Divide it, or say `{LONG_NOTE}…`",
            file.path
        )
    })
}

fn machine_path(file: &File, own_paths: &[String]) -> Option<String> {
    let homes = ["/home/", "/Users/"];
    let line = file.text.lines().position(|line| {
        let own = own_paths.iter().any(|path| line.contains(path.as_str()));
        let home = homes.iter().any(|home| {
            let mut after = line.split(home).skip(1);
            after.any(|rest| rest.starts_with(|next: char| next.is_ascii_alphanumeric()))
        });
        own || home
    })?;
    Some(format!("{}:{}: a path of one machine", file.path, line + 1))
}

/// What a crate lacks.
fn unfurnished(name: &str, manifest: &File, files: &[File]) -> Vec<String> {
    let text = |path: &str| {
        files
            .iter()
            .find(|file| file.path == path)
            .map(|file| file.text.as_str())
    };
    let folder = format!("crates/{name}");
    let listed = text("README.md").is_some_and(|readme| {
        let mut rows = readme
            .lines()
            .filter(|line| line.trim_start().starts_with('|'));
        rows.any(|row| mentions(row, &folder))
    });
    let has_readme =
        text(&format!("{folder}/README.md")).is_some_and(|readme| readme.lines().count() > 1);
    let has_changelog = text(&format!("{folder}/CHANGELOG.md"))
        .is_some_and(|changelog| changelog.lines().any(|line| line == "## [Unreleased]"));
    let inherits_lints = manifest.text.contains("[lints]\nworkspace = true");
    [
        (listed, format!("README.md: no table row names {folder}")),
        (
            has_readme,
            format!("{folder}: no README.md, or an empty one"),
        ),
        (
            has_changelog,
            format!("{folder}: no CHANGELOG.md with a line `## [Unreleased]`"),
        ),
        (
            inherits_lints,
            format!("{folder}/Cargo.toml: no `[lints]` with `workspace = true`"),
        ),
    ]
    .into_iter()
    .filter_map(|(good, finding)| (!good).then_some(finding))
    .collect()
}

/// Whether `row` has `folder` in it, and not as the beginning of a longer name.
fn mentions(row: &str, folder: &str) -> bool {
    row.split(folder).skip(1).any(|rest| {
        !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '-' || next == '_')
    })
}

#[cfg(test)]
mod tests;
