use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A program that something here needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tool {
    /// Its name.
    pub(crate) program: &'static str,
    /// The environment variable by which another can be named.
    pub(crate) variable: &'static str,
    /// The Debian package it comes with.
    pub(crate) package: &'static str,
    /// What needs it.
    pub(crate) why: &'static str,
}

/// What the build needs besides Rust.
pub(crate) const BUILD_TOOLS: [Tool; 3] = [
    Tool {
        program: "cc",
        variable: "CC",
        package: "build-essential",
        why: "a C compiler, for SQLite, zlib-ng and jemalloc",
    },
    Tool {
        program: "make",
        variable: "MAKE",
        package: "build-essential",
        why: "for jemalloc",
    },
    Tool {
        program: "cmake",
        variable: "CMAKE",
        package: "cmake",
        why: "for zlib-ng, which pingora-core always builds",
    },
];

/// The real web server of the end-to-end tests.
pub(crate) const NGINX: Tool = Tool {
    program: "nginx",
    variable: "TERRACE_TEST_NGINX",
    package: "nginx",
    why: "a real web server, as the origin of the end-to-end tests",
};

/// The client of `cargo xtask bench`.
pub(crate) const WRK: Tool = Tool {
    program: "wrk",
    variable: "WRK",
    package: "wrk",
    why: "the client that measures proxies",
};

/// What checks the alert rules and the metrics.
pub(crate) const PROMTOOL: Tool = Tool {
    program: "promtool",
    variable: "TERRACE_TEST_PROMTOOL",
    package: "prometheus",
    why: "to check the alert rules and the metrics as Prometheus would",
};

/// The browser in which the status page is looked at.
pub(crate) const CHROMIUM: Tool = Tool {
    program: "chromium",
    variable: "TERRACE_TEST_CHROMIUM",
    package: "chromium",
    why: "a real browser, for the test of the status page",
};

/// What steers it.
pub(crate) const CHROMEDRIVER: Tool = Tool {
    program: "chromedriver",
    variable: "TERRACE_TEST_CHROMEDRIVER",
    package: "chromium-driver",
    why: "to steer the browser",
};

/// Makes pictures small.
pub(crate) const PNGQUANT: Tool = Tool {
    program: "pngquant",
    variable: "PNGQUANT",
    package: "pngquant",
    why: "makes pictures small",
};

impl Tool {
    /// Where it is: what its variable names, or else what is found on the path, or in the system's
    /// folders that only root has on it.
    pub(crate) fn find(&self) -> Option<PathBuf> {
        find(self.named().as_deref().unwrap_or(self.program))
    }

    /// The program its variable names, if any.
    pub(crate) fn named(&self) -> Option<String> {
        let value = env::var(self.variable).ok()?;
        // `CC="ccache gcc"` names a program and its argument.
        value.split_whitespace().next().map(str::to_owned)
    }
}

/// Where `program` is.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        let path = PathBuf::from(program);
        return is_executable(&path).then_some(path);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(program))
        .find(|candidate| is_executable(candidate))
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_by_name_and_by_path() {
        let sh = find("sh").unwrap();
        assert_eq!(find(sh.to_str().unwrap()), Some(sh));
        assert_eq!(find("terrace-no-such-program"), None);
        assert_eq!(find("/"), None, "a folder is no program");
    }
}
