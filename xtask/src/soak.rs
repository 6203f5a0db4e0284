use crate::Outcome;
use crate::setup;
use crate::step::step;
use crate::test::release_embedded;
use crate::workspace::cargo;

pub(crate) const HELP: &str = "\
Runs the proxy under mixed load for ten minutes, with faults in every tier.

A client checks every byte: no error that the origin could have prevented, nothing that was purged, nothing that grows. Faults
are a locked index, bodies that vanish, are cut or changed, a folder that is gone, an origin that is slow, fails or breaks
off, and, in the first half, restarts by SIGTERM and SIGKILL. At the end it prints what was asked, answered and broken,
and memory and open files by quarters of the second half. `cargo xtask test` runs half a minute of it.

  --minutes N   how long, from 1 (default 10)
  --seed S      what is asked and broken follows from it (default 1)";

pub(crate) fn soak(args: &[String]) -> Outcome {
    let Options { minutes, seed } = Options::read(args)?;
    setup::build_tools()?;
    let embedded = release_embedded()?;
    let mut test = cargo();
    test.args(["test", "-p", "terrace-examples", "--test", "e2e", "--"]);
    test.args(["--nocapture", "soak::"]);
    test.env("TERRACE_TEST_EMBEDDED", embedded)
        .env("TERRACE_SOAK_SECONDS", (minutes * 60).to_string())
        .env("TERRACE_SOAK_SEED", seed.to_string());
    step("soak", &mut test)
}

#[derive(Debug, PartialEq, Eq)]
struct Options {
    minutes: u64,
    seed: u64,
}

impl Options {
    fn read(args: &[String]) -> Outcome<Self> {
        let mut options = Self {
            minutes: 10,
            seed: 1,
        };
        let mut args = args.iter();
        while let Some(name) = args.next() {
            let value = args.next().and_then(|value| value.parse().ok());
            let value = value.ok_or_else(|| format!("{name} needs a number\n\n{HELP}"))?;
            match name.as_str() {
                "--minutes" if (1..=10_000).contains(&value) => options.minutes = value,
                "--seed" => options.seed = value,
                _ => return Err(format!("there is no {name} {value}\n\n{HELP}")),
            }
        }
        Ok(options)
    }
}

#[test]
fn options_are_read_or_refused() {
    let read = |line: &str| {
        let args: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Options::read(&args)
    };
    let (minutes, seed) = (90, 7);
    assert_eq!(read("--seed 7 --minutes 90"), Ok(Options { minutes, seed }));
    assert_eq!(read("").map(|it| it.minutes), Ok(10));
    for wrong in ["--minutes", "--minutes x", "--minutes 0", "--hours 1"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}
