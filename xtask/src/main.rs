//! Every chore of this repository, as `cargo xtask COMMAND`. No dependencies: it builds in seconds
//! on a machine that has nothing but Rust.

use std::env;
use std::process::ExitCode;

mod bench;
mod deny;
mod features;
mod lint;
mod run;
mod screenshots;
mod services;
mod setup;
mod soak;
mod step;
mod test;
mod tidy;
mod tools;
mod workspace;

/// What a command ends with; the text says what to do.
type Outcome<T = ()> = Result<T, String>;

struct Command {
    name: &'static str,
    usage: &'static str,
    help: &'static str,
    run: fn(&[String]) -> Outcome,
}

const COMMANDS: [Command; 10] = [
    Command {
        name: "run",
        usage: "run [--] [ARGS…]",
        help: run::RUN_HELP,
        run: run::run,
    },
    Command {
        name: "test",
        usage: "test [ARGS…]",
        help: test::HELP,
        run: test::test,
    },
    Command {
        name: "services",
        usage: "services VERB [NAME…]",
        help: services::HELP,
        run: services::services,
    },
    Command {
        name: "lint",
        usage: "lint [--install]",
        help: lint::LINT_HELP,
        run: lint::lint,
    },
    Command {
        name: "ci",
        usage: "ci [--install]",
        help: lint::CI_HELP,
        run: lint::ci,
    },
    Command {
        name: "tidy",
        usage: "tidy",
        help: tidy::HELP,
        run: tidy::tidy,
    },
    Command {
        name: "bench",
        usage: "bench proxy|backends [OPTIONS]",
        help: bench::HELP,
        run: bench::bench,
    },
    Command {
        name: "soak",
        usage: "soak [OPTIONS]",
        help: soak::HELP,
        run: soak::soak,
    },
    Command {
        name: "screenshots",
        usage: "screenshots",
        help: screenshots::HELP,
        run: screenshots::screenshots,
    },
    Command {
        name: "replay",
        usage: "replay FILE [ARGS…]",
        help: run::REPLAY_HELP,
        run: run::replay,
    },
];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Outcome {
    let (name, args) = match args {
        [] => return Err(format!("which chore?\n\n{}", overview())),
        [flag, ..] if is_help(flag) => {
            eprint!("{}", overview());
            return Ok(());
        }
        [name, args @ ..] => (name, args),
    };
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        return Err(format!("there is no chore '{name}'\n\n{}", overview()));
    };
    if args.first().is_some_and(|arg| is_help(arg)) {
        eprint!("cargo xtask {}\n\n{}\n", command.usage, command.help);
        return Ok(());
    }
    (command.run)(args)
}

fn is_help(arg: &str) -> bool {
    matches!(arg, "--help" | "-h" | "help")
}

fn overview() -> String {
    let chores = COMMANDS.each_ref().map(|Command { usage, help, .. }| {
        let summary = help.lines().next().unwrap_or_default();
        format!("  cargo xtask {usage:20} {summary}")
    });
    format!(
        "The chores of this repository:\n\n{}\n\n`cargo xtask COMMAND --help` says more.\n",
        chores.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_chore_is_an_error_that_lists_the_others() {
        let error = dispatch(&["tests".to_owned()]).unwrap_err();
        for command in &COMMANDS {
            assert!(error.contains(command.usage), "{error}");
        }
        assert!(dispatch(&[]).is_err());
    }

    #[test]
    fn help_runs_nothing() {
        for command in &COMMANDS {
            let asked = [command.name.to_owned(), "--help".to_owned()];
            assert_eq!(dispatch(&asked), Ok(()));
        }
    }
}
