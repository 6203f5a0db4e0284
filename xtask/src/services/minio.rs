//! MinIO, built from its source.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Service;
use super::instance::Instance;
use super::port;
use super::process::Spawn;
use super::wait::{http_status, output, until};
use crate::Outcome;
use crate::step::step;
use crate::tools::Tool;
use crate::workspace::tool_cache;

const GO: Tool = Tool {
    program: "go",
    variable: "GO",
    package: "golang-go",
    why: "to build MinIO",
};

/// The commit that is tested against; its build needs Go 1.24 or newer.
const VERSION: &str = "v0.0.0-20260212201848-7aac2a2c5b7c";
/// The Go that builds it, for those who have an older one.
const TOOLCHAIN: &str = "go1.25.5";
const USER: &str = "terrace";
const PASSWORD: &str = "terrace-secret";

pub(super) const SERVICE: Service = Service {
    name: "minio",
    variable: "TERRACE_TEST_MINIO_URL",
    // Go is looked for only where MinIO is not built yet.
    tools: &[],
    start,
};

pub(super) fn version() -> Option<String> {
    // Of one that was built from a commit, the program knows nothing.
    VERSION.strip_prefix("v0.0.0-").map(str::to_owned)
}

fn start(instance: &mut Instance) -> Outcome {
    let program = built()?;
    let [port] = port::free()?;
    let data = instance.folder("data")?;
    let server = Spawn::new("server", program)
        .line("server --quiet --address")
        .args([format!("127.0.0.1:{port}"), data.display().to_string()])
        .env("MINIO_ROOT_USER", USER)
        .env("MINIO_ROOT_PASSWORD", PASSWORD)
        .env("MINIO_UPDATE", "off")
        .env("MINIO_BROWSER", "off")
        .listening(port);
    instance.start(&server)?;
    until("MinIO", || {
        http_status(port, "/minio/health/ready") == Some(200)
    })?;
    instance.publish(SERVICE.variable, format!("http://127.0.0.1:{port}"))?;
    instance.publish("TERRACE_TEST_MINIO_ACCESS_KEY", USER)?;
    instance.publish("TERRACE_TEST_MINIO_SECRET_KEY", PASSWORD)
}

/// Where the program is; built once for every checkout, in some minutes.
fn built() -> Outcome<PathBuf> {
    let cache = tool_cache().ok_or("there is no folder to keep it in: set HOME")?;
    let folder = cache.join(format!("minio-{VERSION}"));
    let program = folder.join("minio");
    if program.is_file() {
        return Ok(program);
    }
    crate::setup::ensure(&[GO])?;
    step(
        "build MinIO",
        Command::new(toolchain(&GO.find().unwrap_or_default())?)
            .args(["install", "-trimpath", "-ldflags=-s -w"])
            .arg(format!("github.com/minio/minio@{VERSION}"))
            .env("GOBIN", &folder)
            .env("GOTOOLCHAIN", format!("{TOOLCHAIN}+auto"))
            .env("CGO_ENABLED", "0"),
    )?;
    Ok(program)
}

/// A Go that can build it: `go`, or what `go` fetches. From Go 1.21 on it fetches a newer one of itself; for those before,
/// the newer one is but a module among others.
fn toolchain(go: &Path) -> Outcome<PathBuf> {
    let version = output(Command::new(go).args(["env", "GOVERSION"]))?;
    if !is_before_toolchains(&version) {
        return Ok(go.to_owned());
    }
    let system = output(Command::new(go).args(["env", "GOHOSTOS", "GOHOSTARCH"]))?;
    let system = system.lines().collect::<Vec<_>>().join("-");
    let module = format!("golang.org/toolchain@v0.0.1-{TOOLCHAIN}.{system}");
    step(
        "get a newer Go",
        Command::new(go).args(["mod", "download", &module]),
    )?;
    let modules = output(Command::new(go).args(["env", "GOMODCACHE"]))?;
    let folder = PathBuf::from(modules).join(module);
    // What a module brings is not executable.
    output(Command::new("chmod").args(["-R", "u+w,a+x"]).arg(&folder))?;
    Ok(folder.join("bin").join("go"))
}

/// Whether `version`, such as `go1.19.8`, is of a Go that does not know of newer ones.
fn is_before_toolchains(version: &str) -> bool {
    let minor = version.strip_prefix("go1.").and_then(|rest| {
        rest.split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse()
            .ok()
    });
    minor.is_some_and(|minor: u32| minor < 21)
}

#[cfg(test)]
mod tests {
    use super::is_before_toolchains;

    #[test]
    fn an_old_go_is_told_from_one_that_fetches_newer_ones() {
        assert!(is_before_toolchains("go1.19.8") && is_before_toolchains("go1.20rc1"));
        assert!(!is_before_toolchains("go1.21.0") && !is_before_toolchains("go1.26.8 X:foo"));
        assert!(!is_before_toolchains("devel +abcdef"));
    }
}
