use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository's top folder.
pub(crate) fn root() -> PathBuf {
    // Cargo says where this package is when it runs it; a binary run by hand remembers where it was built.
    let own = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    own.parent().map_or(own.clone(), Path::to_owned)
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    let root = root();
    match env::var_os("CARGO_TARGET_DIR") {
        // Cargo takes a relative one from the folder it runs in, which is the root for every step.
        Some(dir) if !dir.is_empty() => root.join(dir),
        _ => root.join("target"),
    }
}

/// The cargo that runs this, at the top folder.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(cargo_program());
    cargo.current_dir(root());
    cargo
}

/// The cargo that runs this.
pub(crate) fn cargo_program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Where tools are kept that are built once and used by every checkout.
pub(crate) fn tool_cache() -> Option<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))?;
    Some(cache.join("terrace").join("tools"))
}

/// Whether this is an automatic run, in which nothing may be left out in silence.
pub(crate) fn is_ci() -> bool {
    env::var("CI").is_ok_and(|ci| ci == "true" || ci == "1")
}
