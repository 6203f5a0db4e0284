use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::Outcome;
use crate::setup;
use crate::workspace::cargo_program;

pub(crate) const RUN_HELP: &str = "\
Builds and runs the embedded proxy.

Checks what the build needs besides Rust (a C compiler, make, cmake), and installs what is missing where it may (as
root, or by sudo without a password, with apt-get); otherwise it prints the line to type. Then it becomes

  cargo run --release -p terrace-examples --bin embedded -- ARGS…

so that signals reach the proxy. For the proxy's own help: cargo xtask run -- --help";

pub(crate) const REPLAY_HELP: &str = "\
Replays a trace through several policies and compares them.

The trace has `time id size` to a line, plain or compressed as .xz. It becomes

  cargo run --release -p terrace-policy --example replay -- FILE ARGS…

whose own help is: cargo xtask replay -- --help";

pub(crate) fn run(args: &[String]) -> Outcome {
    setup::build_tools()?;
    become_cargo("-p terrace-examples --bin embedded", args)
}

pub(crate) fn replay(args: &[String]) -> Outcome {
    if args.is_empty() {
        return Err(
            "which trace? cargo xtask replay FILE, with `time id size` to a line".to_owned(),
        );
    }
    become_cargo("-p terrace-policy --example replay", args)
}

/// Replaces this process, in the folder the user is in; returns only if that fails.
fn become_cargo(what: &str, args: &[String]) -> Outcome {
    let args = match args {
        [first, rest @ ..] if first == "--" => rest,
        all => all,
    };
    let error = Command::new(cargo_program())
        .args(["run", "--release"])
        .args(what.split(' '))
        .arg("--")
        .args(args)
        .exec();
    Err(format!("cannot run cargo: {error}"))
}
