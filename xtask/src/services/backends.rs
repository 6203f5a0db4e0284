//! What the tests are run against.

use super::Service;
use super::instance::Instance;
use super::{ceph, dynamodb, memcached, minio, postgres, redis};
use crate::Outcome;

/// A real server that tests talk to. In the table at the end of `cargo xtask test` it has a row, in which the conformance
/// trials are counted whose suite's name begins with its own, as `redis-cluster_tier` does.
pub(crate) struct Backend {
    name: &'static str,
    pub(super) service: Service,
    /// Whose tests talk to it.
    packages: &'static [&'static str],
    /// What the program here calls itself.
    version: fn() -> Option<String>,
    is_optional: bool,
}

/// A line for each.
pub(crate) static BACKENDS: &[Backend] = &[
    Backend::of(redis::SINGLE, &["terrace-redis"], redis::version),
    Backend::of(redis::TLS, &["terrace-redis"], redis::version),
    Backend::of(redis::SENTINEL, &["terrace-redis"], redis::version),
    Backend::of(redis::CLUSTER, &["terrace-redis"], redis::version),
    Backend::of(postgres::SERVICE, &["terrace-cockroach"], postgres::version),
    Backend::of(
        minio::SERVICE,
        &["terrace-s3", "terrace-minio"],
        minio::version,
    ),
    Backend::of(
        memcached::SERVICE,
        &["terrace-memcached"],
        memcached::version,
    ),
    Backend {
        name: "dynamodb",
        ..Backend::of(
            dynamodb::IN_MEMORY,
            &["terrace-dynamodb"],
            dynamodb::version,
        )
    },
    Backend::of(
        ceph::SERVICE,
        &["terrace-s3", "terrace-ceph"],
        ceph::version,
    ),
    Backend::named(
        "cockroach",
        "TERRACE_TEST_COCKROACH_URL",
        &["terrace-cockroach"],
    ),
    Backend::named("s3", "TERRACE_TEST_S3_URL", &["terrace-s3"]),
];

impl Backend {
    const fn of(
        service: Service,
        packages: &'static [&'static str],
        version: fn() -> Option<String>,
    ) -> Self {
        Self {
            name: service.name,
            service,
            packages,
            version,
            is_optional: false,
        }
    }

    /// One that is not started here, but tried where `variable` names it. It is not among `--require all`.
    const fn named(
        name: &'static str,
        variable: &'static str,
        packages: &'static [&'static str],
    ) -> Self {
        let service = Service {
            name,
            variable,
            tools: &[],
            start: not_here,
        };
        Self {
            is_optional: true,
            ..Self::of(service, packages, || None)
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn packages(&self) -> &'static [&'static str] {
        self.packages
    }

    pub(crate) fn version(&self) -> Option<String> {
        (self.version)()
    }

    pub(crate) fn is_optional(&self) -> bool {
        self.is_optional
    }
}

fn not_here(_: &mut Instance) -> Outcome {
    Err("it is not started here".to_owned())
}

/// The first thing in `text` that looks like a version.
pub(super) fn version_in(text: &str) -> Option<String> {
    text.split(|c: char| !(c.is_ascii_digit() || c == '.'))
        .map(|word| word.trim_matches('.'))
        .find(|word| word.contains('.'))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (said, version) in [
            (
                "Redis server v=7.0.15 sha=00000000:0 bits=64",
                Some("7.0.15"),
            ),
            ("memcached 1.6.18", Some("1.6.18")),
            (
                "postgres (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)",
                Some("15.8"),
            ),
            ("no version.", None),
        ] {
            assert_eq!(version_in(said).as_deref(), version, "{said}");
        }
    }

    #[test]
    fn no_two_have_one_name_and_each_is_tested_by_somebody() {
        let names: BTreeSet<_> = BACKENDS.iter().map(Backend::name).collect();
        assert_eq!(names.len(), BACKENDS.len());
        assert!(BACKENDS.iter().all(|backend| !backend.packages.is_empty()));
        // A suite's name is the backend's, and what follows an underscore.
        assert!(names.iter().all(|name| !name.contains('_')));
    }
}
