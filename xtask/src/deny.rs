use std::path::PathBuf;
use std::process::Command;

use crate::Outcome;
use crate::step::{skipped, step};
use crate::tools::find;
use crate::workspace::{cargo, is_ci, root, tool_cache};

const VERSION: &str = "0.20.2";

/// Checks licences, bans and sources of all dependencies by `deny.toml`. Not the advisories: they are
/// fetched, and what was fine yesterday must not fail a build today.
pub(crate) fn deny(install: bool) -> Outcome {
    let Some(program) = program(install)? else {
        let reason = "cargo-deny is not installed; `cargo xtask lint --install` does that";
        if is_ci() {
            return Err(format!("licences, bans and sources: {reason}"));
        }
        skipped("licences, bans and sources", reason);
        return Ok(());
    };
    step(
        "licences, bans and sources",
        Command::new(program)
            .current_dir(root())
            .args(["--workspace", "--all-features", "--locked"])
            .args([
                "check",
                "--hide-inclusion-graph",
                "bans",
                "licenses",
                "sources",
            ]),
    )
}

fn program(install: bool) -> Outcome<Option<PathBuf>> {
    let cache = tool_cache();
    let cached = cache.as_ref().map(|cache| cache.join("bin/cargo-deny"));
    let found = find("cargo-deny").or_else(|| find(cached.as_ref()?.to_str()?));
    if found.is_some() || !install {
        return Ok(found);
    }
    let cache = cache.ok_or("cannot install cargo-deny: set HOME, to which its cache belongs")?;
    step(
        "install cargo-deny",
        cargo()
            .args(["install", "--locked", "--version", VERSION, "--root"])
            .arg(&cache)
            // Checks some hundred packages once: built fast, not to be fast.
            .args(["--debug", "cargo-deny"]),
    )?;
    Ok(cached)
}
