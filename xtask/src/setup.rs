use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::step::{skipped, step, timed};
use crate::tools::{BUILD_TOOLS, Tool, WRK, find};
use crate::workspace::is_ci;

/// Sees to it that the build finds what it needs.
pub(crate) fn build_tools() -> Outcome {
    timed("build tools", || ensure(&BUILD_TOOLS))
}

/// A program that some tests need; `None`, loudly, where it cannot be had. Then `tests` are left out.
pub(crate) fn for_tests(tool: Tool, tests: &str) -> Outcome<Option<PathBuf>> {
    match timed(tool.program, || ensure(&[tool])) {
        Ok(()) => Ok(tool.find()),
        Err(reason) if is_ci() => Err(reason),
        Err(reason) => {
            skipped(tests, &reason);
            Ok(None)
        }
    }
}

/// The client that measures proxies.
pub(crate) fn wrk() -> Outcome<PathBuf> {
    timed("wrk", || {
        ensure(&[WRK])?;
        WRK.find().ok_or_else(|| "it is gone again".to_owned())
    })
}

/// Installs what of `tools` is missing, where it may.
pub(crate) fn ensure(tools: &[Tool]) -> Outcome {
    let missing = missing(tools);
    if missing.is_empty() {
        return Ok(());
    }
    if let Some((tool, named)) = missing.iter().find_map(|tool| Some((tool, tool.named()?))) {
        return Err(format!(
            "{} names {named}, which is no program: correct it, or unset it",
            tool.variable
        ));
    }
    for command in plan(&missing, find("apt-get").is_some(), privilege())? {
        let mut words = command.into_iter();
        let program = words.next().unwrap_or_default();
        let name = if words.as_slice().iter().any(|word| word == "update") {
            "apt-get update"
        } else {
            "apt-get install"
        };
        step(name, Command::new(program).args(words).stdin(Stdio::null()))?;
    }
    match self::missing(tools).as_slice() {
        [] => Ok(()),
        still => Err(format!(
            "still missing after the installation: {}",
            names(still)
        )),
    }
}

fn missing(tools: &[Tool]) -> Vec<Tool> {
    tools
        .iter()
        .filter(|tool| tool.find().is_none())
        .copied()
        .collect()
}

/// By what right packages can be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Privilege {
    Root,
    /// `sudo` without a password.
    Sudo,
    None,
}

fn privilege() -> Privilege {
    let is_root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    if is_root {
        return Privilege::Root;
    }
    let sudo = Command::new("sudo")
        .args(["-n", "true"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match sudo {
        Ok(status) if status.success() => Privilege::Sudo,
        _ => Privilege::None,
    }
}

/// The commands that install `missing`, or the line to type where this may not.
fn plan(missing: &[Tool], has_apt: bool, privilege: Privilege) -> Outcome<Vec<Vec<String>>> {
    let mut packages: Vec<_> = missing.iter().map(|tool| tool.package).collect();
    packages.dedup();
    let packages = packages.join(" ");
    let prefix = match privilege {
        _ if !has_apt => {
            return Err(format!(
                "missing: {}\nInstall what Debian calls `{packages}` with this system's package \
                 manager, then try again",
                names(missing)
            ));
        }
        Privilege::None => {
            return Err(format!(
                "missing: {}\nType this, then try again:\n\n  sudo apt-get update && sudo apt-get \
                 install -y --no-install-recommends {packages}\n",
                names(missing)
            ));
        }
        Privilege::Root => "",
        Privilege::Sudo => "sudo -n ",
    };
    let env = "env DEBIAN_FRONTEND=noninteractive";
    let lines = [
        format!("{prefix}{env} apt-get update -q"),
        format!("{prefix}{env} apt-get install -q -y --no-install-recommends {packages}"),
    ];
    let words = |line: String| line.split_whitespace().map(str::to_owned).collect();
    Ok(lines.into_iter().map(words).collect())
}

fn names(tools: &[Tool]) -> String {
    let names: Vec<_> = tools
        .iter()
        .map(|tool| format!("{} ({})", tool.program, tool.why))
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::NGINX;

    #[test]
    fn root_installs_and_sudo_is_asked_for_nothing() {
        let installed = |privilege| plan(&BUILD_TOOLS, true, privilege).unwrap()[1].join(" ");
        let install = "env DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
                       --no-install-recommends build-essential cmake";
        assert_eq!(installed(Privilege::Root), install);
        assert_eq!(installed(Privilege::Sudo), format!("sudo -n {install}"));
    }

    #[test]
    fn without_the_right_to_install_the_line_to_type_is_told() {
        let error = plan(&BUILD_TOOLS[2..], true, Privilege::None).unwrap_err();
        let line = "sudo apt-get update && sudo apt-get install -y --no-install-recommends cmake\n";
        assert!(error.contains(line), "{error}");
        assert!(error.contains("zlib-ng"), "{error}");
    }

    #[test]
    fn elsewhere_the_packages_are_told() {
        let error = plan(&[NGINX], false, Privilege::Root).unwrap_err();
        assert!(error.contains("what Debian calls `nginx`"), "{error}");
    }
}
