//! Redis: single, with TLS and a user, with sentinels, as a cluster.

use std::path::Path;
use std::process::Command;

use super::Service;
use super::backends::version_in;
use super::instance::Instance;
use super::port;
use super::process::Spawn;
use super::wait::{output, until};
use crate::Outcome;
use crate::tools::Tool;

const SERVER: Tool = Tool {
    program: "redis-server",
    variable: "REDIS_SERVER",
    package: "redis-server",
    why: "Redis, for the tests of its adapters",
};
const CLIENT: Tool = Tool {
    program: "redis-cli",
    variable: "REDIS_CLI",
    package: "redis-tools",
    why: "to see when Redis is ready",
};
const OPENSSL: Tool = Tool {
    program: "openssl",
    variable: "OPENSSL",
    package: "openssl",
    why: "to make the certificates of tests",
};

pub(super) const SINGLE: Service = Service {
    name: "redis",
    variable: "TERRACE_TEST_REDIS_URL",
    tools: &[SERVER, CLIENT],
    start: single,
};

pub(super) const TLS: Service = Service {
    name: "redis-tls",
    variable: "TERRACE_TEST_REDIS_TLS_URL",
    tools: &[SERVER, CLIENT, OPENSSL],
    start: tls,
};

pub(super) const SENTINEL: Service = Service {
    name: "redis-sentinel",
    variable: "TERRACE_TEST_REDIS_SENTINEL_URLS",
    tools: &[SERVER, CLIENT],
    start: sentinel,
};

pub(super) const CLUSTER: Service = Service {
    name: "redis-cluster",
    variable: "TERRACE_TEST_REDIS_CLUSTER_URLS",
    tools: &[SERVER, CLIENT],
    start: cluster,
};

pub(super) fn version() -> Option<String> {
    version_in(&output(Command::new(SERVER.find()?).arg("--version")).ok()?)
}

fn single(instance: &mut Instance) -> Outcome {
    let [port] = port::free()?;
    // Otherwise what it has acknowledged may wait for the disk, and is lost when it is killed.
    start(instance, "server", port, "appendfsync always\n")?;
    publish(instance, &SINGLE, [port])
}

/// The plain port is off; the default user has a password, and there is another user.
fn tls(instance: &mut Instance) -> Outcome {
    let [port] = port::free()?;
    let folder = instance.folder("certificates")?;
    certificates(&folder)?;
    let folder = folder.display();
    let config = format!(
        "port 0\ntls-port {port}\ntls-auth-clients optional\ntls-ca-cert-file {folder}/ca.crt\n\
         tls-cert-file {folder}/server.crt\ntls-key-file {folder}/server.key\nrequirepass secret\n\
         user terrace on >terrace-secret ~* &* +@all\n"
    );
    launch(instance, "server", port, &config)?;
    let ca = format!("{folder}/ca.crt");
    let login = [
        "--tls",
        "--cacert",
        &ca,
        "-a",
        "secret",
        "--no-auth-warning",
    ];
    until("Redis with TLS", || {
        cli(port)
            .args(login)
            .arg("ping")
            .output()
            .is_ok_and(|said| said.stdout.starts_with(b"PONG"))
    })?;
    instance.publish("TERRACE_TEST_REDIS_TLS_CA", ca)?;
    let url = format!("rediss://terrace:terrace-secret@127.0.0.1:{port}");
    instance.publish(TLS.variable, url)
}

/// A primary with two replicas, watched by three sentinels.
fn sentinel(instance: &mut Instance) -> Outcome {
    let [primary, second, third] = port::free()?;
    start(instance, "primary", primary, "repl-diskless-sync-delay 0\n")?;
    for (name, port) in [("replica-1", second), ("replica-2", third)] {
        let config = format!("replicaof 127.0.0.1 {primary}\nrepl-diskless-sync-delay 0\n");
        start(instance, name, port, &config)?;
    }
    for port in [second, third] {
        until("a replica", || {
            info(port, "replication").contains("master_link_status:up")
        })?;
    }
    let sentinels: [u16; 3] = port::free()?;
    for (number, port) in sentinels.iter().enumerate() {
        let name = format!("sentinel-{number}");
        let config = format!(
            "bind 127.0.0.1\nport {port}\ndir {}\nsentinel monitor terrace 127.0.0.1 {primary} 2\n\
             sentinel down-after-milliseconds terrace 1000\nsentinel failover-timeout terrace 3000\n\
             sentinel parallel-syncs terrace 1\n",
            instance.folder(&name)?.display()
        );
        // A sentinel writes what it learns into this file.
        let config = instance.write(&format!("{name}.conf"), &config)?;
        let server = SERVER.find().unwrap_or_default();
        let sentinel = Spawn::new(name, server)
            .args([config.display()])
            .args(["--sentinel"])
            .listening(*port);
        instance.start(&sentinel)?;
    }
    for port in sentinels {
        until("a sentinel", || {
            info(port, "sentinel").contains("slaves=2,sentinels=3")
        })?;
    }
    instance.publish("TERRACE_TEST_REDIS_SENTINEL_NAME", "terrace")?;
    publish(instance, &SENTINEL, sentinels)
}

/// Three primaries with a replica each.
fn cluster(instance: &mut Instance) -> Outcome {
    // Nodes talk to each other ten thousand ports above.
    let ports = port::free_with(10_000, 6)?;
    for (number, &port) in ports.iter().enumerate() {
        let config =
            "cluster-enabled yes\ncluster-config-file nodes.conf\ncluster-node-timeout 2000\n";
        start(instance, &format!("node-{number}"), port, config)?;
    }
    let nodes = ports.iter().map(|port| format!("127.0.0.1:{port}"));
    let create = ["--cluster-replicas", "1", "--cluster-yes"];
    let program = CLIENT.find().unwrap_or_default();
    output(
        Command::new(program)
            .args(["--cluster", "create"])
            .args(nodes)
            .args(create),
    )?;
    // Each for itself: that one says so does not mean that the others know.
    for &port in &ports {
        until("the cluster", || {
            says(port, &["cluster", "info"]).contains("cluster_state:ok")
        })?;
    }
    for &port in &ports[3..] {
        until("a replica", || {
            info(port, "replication").contains("master_link_status:up")
        })?;
    }
    publish(instance, &CLUSTER, ports)
}

fn start(instance: &Instance, name: &str, port: u16, config: &str) -> Outcome {
    launch(instance, name, port, &format!("port {port}\n{config}"))?;
    until(&format!("Redis ({name})"), || {
        says(port, &["ping"]) == "PONG"
    })
}

fn launch(instance: &Instance, name: &str, port: u16, config: &str) -> Outcome {
    let folder = instance.folder(name)?;
    // What was acknowledged survives the end of the process.
    let common = "bind 127.0.0.1\nsave \"\"\nappendonly yes\nnotify-keyspace-events KEA\n";
    let config = format!("{common}dir {}\n{config}", folder.display());
    let config = instance.write(&format!("{name}.conf"), &config)?;
    let server = Spawn::new(name, SERVER.find().unwrap_or_default()).args([config.display()]);
    instance.start(&server.listening(port))
}

fn publish(
    instance: &Instance,
    service: &Service,
    ports: impl IntoIterator<Item = u16>,
) -> Outcome {
    let urls: Vec<_> = ports
        .into_iter()
        .map(|port| format!("redis://127.0.0.1:{port}"))
        .collect();
    instance.publish(service.variable, urls.join(","))
}

fn cli(port: u16) -> Command {
    let mut cli = Command::new(CLIENT.find().unwrap_or_default());
    cli.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    cli
}

fn info(port: u16, section: &str) -> String {
    says(port, &["info", section])
}

fn says(port: u16, words: &[&str]) -> String {
    output(cli(port).args(words)).unwrap_or_default()
}

/// An authority of its own, and a certificate for this machine.
fn certificates(folder: &Path) -> Outcome {
    let openssl = |line: &str| {
        let program = OPENSSL.find().unwrap_or_default();
        output(
            Command::new(program)
                .current_dir(folder)
                .args(line.split_whitespace()),
        )
        .map(drop)
    };
    openssl(
        "req -x509 -newkey rsa:2048 -nodes -days 30 -keyout ca.key -out ca.crt -subj /CN=terrace-test-authority",
    )?;
    openssl("req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost")?;
    let names = folder.join("names");
    std::fs::write(&names, "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        .map_err(|error| format!("{}: {error}", names.display()))?;
    openssl(
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out server.crt -extfile names",
    )
}
