//! MinIO, built from its source.

use std::path::PathBuf;
use std::process::Command;

use super::Service;
use super::instance::Instance;
use super::port;
use super::process::Spawn;
use super::wait::{http_status, until};
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

/// The commit that is tested against; builds need Go 1.24 or newer.
const VERSION: &str = "v0.0.0-20260212201848-7aac2a2c5b7c";
const USER: &str = "terrace";
const PASSWORD: &str = "terrace-secret";

pub(super) const SERVICE: Service = Service {
    name: "minio",
    variable: "TERRACE_TEST_MINIO_URL",
    // Go is looked for only where MinIO is not built yet.
    tools: &[],
    start,
};

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
        Command::new(GO.find().unwrap_or_default())
            .args(["install", "-trimpath", "-ldflags=-s -w"])
            .arg(format!("github.com/minio/minio@{VERSION}"))
            .env("GOBIN", &folder)
            .env("CGO_ENABLED", "0"),
    )?;
    Ok(program)
}
