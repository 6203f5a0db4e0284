//! The real servers that tests talk to: got, started and stopped as an ordinary chore.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::setup;
use crate::step::timed;
use crate::tools::Tool;
use crate::workspace::target_dir;

use instance::Instance;

pub(crate) use backends::{BACKENDS, Backend};
pub(crate) use for_tests::{ForTests, State};

mod backends;
mod ceph;
mod dynamodb;
mod for_tests;
mod guard;
mod instance;
mod memcached;
mod minio;
pub(crate) mod port;
mod postgres;
mod process;
mod redis;
pub(crate) mod wait;

pub(crate) const HELP: &str = "\
Gets, starts and stops the real servers that tests talk to.

  cargo xtask services up [NAME…]        gets and starts them; prints the variables that point tests at them
  cargo xtask services status            what runs
  cargo xtask services down [NAME…]      stops them and removes their data
  cargo xtask services kill NAME         kills one as a crash would (SIGKILL); its data stays
  cargo xtask services pause NAME        stops it from answering (SIGSTOP)
  cargo xtask services resume NAME       lets it go on (SIGCONT)
  cargo xtask services revive NAME       starts what was killed, on the same ports and data
  cargo xtask services guard             waits for the end of its input, then stops all

They listen on loopback, on free ports, as an ordinary user where the server minds root. Data is kept in
`target/services`, or where --dir DIR says: a test that kills its server brings up one of its own. With kill, pause, resume and
revive, NAME/PROCESS names one process of several, such as ceph/osd.

A variable that is set already wins: `up` starts nothing for it. That is how one tests against a cloud account, or the servers
of compose.yaml.";

/// A server, or several that are one backend.
struct Service {
    name: &'static str,
    /// The variable that points tests at it.
    variable: &'static str,
    /// What it comes with.
    tools: &'static [Tool],
    start: fn(&mut Instance) -> Outcome,
}

static SERVICES: [Service; 8] = [
    redis::SINGLE,
    redis::TLS,
    redis::SENTINEL,
    redis::CLUSTER,
    memcached::SERVICE,
    postgres::SERVICE,
    dynamodb::SERVICE,
    minio::SERVICE,
];

/// Those that take minutes to get, or stand in for another, and so are not among the default ones.
static ON_REQUEST: [Service; 2] = [ceph::SERVICE, dynamodb::IN_MEMORY];

pub(crate) fn services(args: &[String]) -> Outcome {
    let Arguments { dir, words } = Arguments::parse(args)?;
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["up", names @ ..] => up(&dir, &chosen(names)?),
        // Those that were asked for by name, too.
        ["down"] => down(&dir, all()),
        ["down", names @ ..] => down(&dir, chosen(names)?.into_iter()),
        ["status"] => status(&dir),
        ["guard"] => guard::guard(&dir),
        [verb @ ("kill" | "pause" | "resume" | "revive"), name] => disturb(&dir, verb, name),
        _ => Err(format!("what about the services?\n\n{HELP}")),
    }
}

struct Arguments {
    dir: PathBuf,
    words: Vec<String>,
}

impl Arguments {
    fn parse(args: &[String]) -> Outcome<Self> {
        let mut parsed = Self {
            dir: target_dir().join("services"),
            words: Vec::new(),
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if arg == "--dir" {
                let dir = args.next().ok_or("--dir needs a folder")?;
                parsed.dir = std::path::absolute(dir).map_err(|error| format!("{dir}: {error}"))?;
            } else {
                parsed.words.push(arg.clone());
            }
        }
        Ok(parsed)
    }
}

fn chosen(names: &[&str]) -> Outcome<Vec<&'static Service>> {
    if names.is_empty() {
        return Ok(SERVICES.iter().collect());
    }
    names.iter().map(|name| named(name)).collect()
}

fn all() -> impl Iterator<Item = &'static Service> {
    SERVICES.iter().chain(&ON_REQUEST)
}

fn named(name: &str) -> Outcome<&'static Service> {
    all().find(|service| service.name == name).ok_or_else(|| {
        let names: Vec<_> = all().map(|service| service.name).collect();
        format!(
            "there is no service '{name}'; there is {}",
            names.join(", ")
        )
    })
}

/// Starts what does not run, and prints the variables of all. One that cannot be had is an error, once the others are up.
fn up(dir: &Path, services: &[&Service]) -> Outcome {
    guard::note(dir)?;
    let mut failures = Vec::new();
    for service in services {
        match timed(service.name, || bring_up(dir, service)) {
            Ok(variables) => print_variables(&variables),
            Err(reason) => failures.push(reason),
        }
    }
    if failures.is_empty() {
        Ok(())
    } else {
        Err(failures.join("\n"))
    }
}

fn bring_up(dir: &Path, service: &Service) -> Outcome<Vec<(String, String)>> {
    if let Ok(value) = env::var(service.variable) {
        return Ok(vec![(service.variable.to_owned(), value)]);
    }
    let mut instance = Instance::at(dir, service.name);
    if instance.runs()? {
        return instance.variables();
    }
    instance.remove()?;
    setup::ensure(service.tools)?;
    match (service.start)(&mut instance) {
        Ok(()) => instance.variables(),
        Err(reason) => {
            let logs = instance.logs();
            instance.remove()?;
            Err(format!("{reason}\n{logs}"))
        }
    }
}

#[expect(clippy::print_stdout, reason = "it is what a shell evaluates")]
fn print_variables(variables: &[(String, String)]) {
    for (name, value) in variables {
        println!("export {name}='{value}'");
    }
}

fn down(dir: &Path, services: impl Iterator<Item = &'static Service>) -> Outcome {
    for service in services {
        Instance::at(dir, service.name).remove()?;
    }
    // What is left there is somebody's else.
    drop(fs::remove_dir(dir));
    Ok(())
}

fn status(dir: &Path) -> Outcome {
    for service in all() {
        let instance = Instance::at(dir, service.name);
        for process in instance.processes()? {
            let state = if process.runs() {
                "runs"
            } else {
                "does not run"
            };
            eprintln!("{}/{}: {state}", service.name, process.name());
        }
        print_variables(&instance.variables()?);
    }
    Ok(())
}

/// Does something to a server, as a test of what happens then.
fn disturb(dir: &Path, verb: &str, name: &str) -> Outcome {
    let (service, part) = match name.split_once('/') {
        Some((service, part)) => (service, Some(part)),
        None => (name, None),
    };
    let service = named(service)?;
    let processes = Instance::at(dir, service.name).processes()?;
    let mut meant = processes
        .iter()
        .filter(|process| part.is_none_or(|part| part == process.name()))
        .peekable();
    if meant.peek().is_none() {
        return Err(format!(
            "{name} was not started here: cargo xtask services up {name}"
        ));
    }
    meant.try_for_each(|process| match verb {
        "kill" => process.kill(),
        "pause" => process.signal_all("STOP"),
        "resume" => process.signal_all("CONT"),
        _ => process.revive(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_service_is_an_error_that_lists_the_others() {
        let error = chosen(&["redis", "etcd"]).err().unwrap();
        assert!(
            error.contains("'etcd'") && error.contains("memcached"),
            "{error}"
        );
        assert_eq!(chosen(&[]).unwrap().len(), SERVICES.len());
    }

    #[test]
    fn what_was_not_started_cannot_be_killed() {
        let dir = env::temp_dir().join("terrace-no-such-folder");
        let error = disturb(&dir, "kill", "redis").unwrap_err();
        assert!(error.contains("services up redis"), "{error}");
    }
}
