//! PostgreSQL, serializable by default: in place of CockroachDB, whose protocol it speaks.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::Service;
use super::backends::version_in;
use super::instance::Instance;
use super::port;
use super::process::{Spawn, give_to_nobody};
use super::wait::{output, until};
use crate::Outcome;
use crate::tools::{Tool, find};

const CLIENT: Tool = Tool {
    program: "psql",
    variable: "PSQL",
    package: "postgresql-client",
    why: "to see when PostgreSQL is ready",
};
/// The server's programs are not on the path; this one comes with them.
const SERVER: Tool = Tool {
    program: "pg_createcluster",
    variable: "PG_CREATECLUSTER",
    package: "postgresql",
    why: "PostgreSQL, for the tests of the index in CockroachDB",
};

pub(super) const SERVICE: Service = Service {
    name: "postgres",
    variable: "TERRACE_TEST_POSTGRES_URL",
    tools: &[SERVER, CLIENT],
    start,
};

/// `fsync` is off: tests kill the server, not the machine. What was acknowledged survives that.
const SETTINGS: &str = "\
listen_addresses = '127.0.0.1'
fsync = off
max_connections = 200
default_transaction_isolation = 'serializable'
";

pub(super) fn version() -> Option<String> {
    let server = programs().ok()?.join("postgres");
    version_in(&output(Command::new(server).arg("--version")).ok()?)
}

fn start(instance: &mut Instance) -> Outcome {
    let [port] = port::free()?;
    let folder = instance.folder("data")?;
    let data = folder.join("database");
    give_to_nobody(&folder)?;
    let programs = programs()?;
    let init = Spawn::new("initdb", programs.join("initdb"))
        .line("--username=terrace --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync -D")
        .args([data.display()])
        .unprivileged()?;
    output(&mut init.command())?;
    let config = data.join("postgresql.conf");
    let settings = format!(
        "{SETTINGS}port = {port}\nunix_socket_directories = '{}'\n",
        folder.display()
    );
    let defaults = fs::read_to_string(&config).map_err(|error| error.to_string())?;
    fs::write(&config, defaults + &settings).map_err(|error| error.to_string())?;

    let server = Spawn::new("server", programs.join("postgres"))
        .line("-D")
        .args([data.display()])
        .listening(port);
    instance.start(&server.unprivileged()?)?;
    let psql = |database: &str, statement: &str| {
        let mut psql = Command::new(CLIENT.find().unwrap_or_default());
        psql.args([
            "-h",
            "127.0.0.1",
            "-U",
            "terrace",
            "-p",
            &port.to_string(),
            "-d",
            database,
        ]);
        output(psql.args(["-tAc", statement]))
    };
    until("PostgreSQL", || psql("postgres", "select 1").is_ok())?;
    psql("postgres", "create database terrace")?;
    instance.publish(
        SERVICE.variable,
        format!("postgresql://terrace@127.0.0.1:{port}/terrace?sslmode=disable"),
    )
}

/// Where the newest server's programs are.
fn programs() -> Outcome<PathBuf> {
    let mut versions: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| {
            entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .collect()
        })
        .unwrap_or_default();
    versions.sort();
    let newest = versions.pop().map(|version: PathBuf| version.join("bin"));
    let on_path = || Some(find("initdb")?.parent()?.to_owned());
    newest
        .filter(|programs| programs.join("postgres").is_file())
        .or_else(on_path)
        .ok_or_else(|| {
            "there is no PostgreSQL server: install Debian's package `postgresql`".to_owned()
        })
}
