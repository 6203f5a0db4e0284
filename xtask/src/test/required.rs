//! `--require`: what must not be left out.

use crate::Outcome;
use crate::services::{BACKENDS, Backend};
use crate::workspace::is_ci;

/// The backends that must be there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Required {
    all: bool,
    names: Vec<String>,
}

impl Required {
    /// Takes `--require NAMES` out of `args`, wherever it stands before the two dashes; what is left is cargo's.
    pub(super) fn taken_from(args: &[String]) -> Outcome<(Self, Vec<String>)> {
        let (mut required, mut left) = (Self::default(), Vec::new());
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let names = match arg.strip_prefix("--require") {
                Some("") => args.next().map(String::as_str),
                Some(rest) if rest.starts_with('=') => rest.strip_prefix('='),
                _ => {
                    left.push(arg.clone());
                    if arg == "--" {
                        left.extend(args.by_ref().cloned());
                    }
                    continue;
                }
            };
            let names =
                names.ok_or("--require needs names: all, or some of them, as redis,minio")?;
            for name in names.split(',') {
                required.add(name)?;
            }
        }
        Ok((required, left))
    }

    fn add(&mut self, name: &str) -> Outcome {
        if name == "all" {
            self.all = true;
        } else if BACKENDS.iter().any(|backend| backend.name() == name) {
            self.names.push(name.to_owned());
        } else {
            let names: Vec<_> = BACKENDS.iter().map(Backend::name).collect();
            return Err(format!(
                "--require {name}: there is no such backend; there is all, {}",
                names.join(", ")
            ));
        }
        Ok(())
    }

    /// Whether its trials must have run.
    pub(super) fn has(&self, backend: &Backend) -> bool {
        (self.all && !backend.is_optional()) || self.names.iter().any(|name| name == backend.name())
    }

    /// Whether it is an error that it cannot be had: if it is required, and in an automatic run.
    pub(super) fn or_ci(&self, backend: &Backend) -> bool {
        self.has(backend) || (is_ci() && !backend.is_optional())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(line: &str) -> Outcome<(Required, String)> {
        let args: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        let (required, left) = Required::taken_from(&args)?;
        Ok((required, left.join(" ")))
    }

    #[test]
    fn it_is_taken_out_of_the_arguments() {
        let (required, left) = taken("-p x --require redis,redis-tls --test y").unwrap();
        assert_eq!(left, "-p x --test y");
        let has: Vec<_> = BACKENDS.iter().filter(|it| required.has(it)).collect();
        let has: Vec<_> = has.into_iter().map(Backend::name).collect();
        assert_eq!(has, ["redis", "redis-tls"]);
        let (all, left) = taken("--require=all -- --require").unwrap();
        assert_eq!(left, "-- --require", "what follows is the test programs'");
        assert!(BACKENDS.iter().all(|it| all.has(it) != it.is_optional()));
    }

    #[test]
    fn a_name_that_is_none_is_an_error_that_lists_the_others() {
        let error = taken("--require etcd").unwrap_err();
        assert!(
            error.contains("etcd") && error.contains("redis-cluster"),
            "{error}"
        );
        assert!(taken("--require").is_err());
    }
}
