//! The endpoints that tests run against.

use std::env;
use std::sync::atomic::{AtomicU64, Ordering};

use terrace_s3::{Credentials, S3Config};

/// Real servers that speak S3: MinIO, Ceph, and any that is named by `TERRACE_TEST_S3_URL`, with `…_ACCESS_KEY`, `…_SECRET_KEY`,
/// and, if there is need, `…_BUCKET` and `…_REGION`.
pub(crate) fn all() -> Vec<(&'static str, S3Config)> {
    let servers = [("minio_s3", "MINIO"), ("ceph_s3", "CEPH"), ("s3", "S3")];
    servers
        .into_iter()
        .filter_map(|(name, variable)| Some((name, of(variable)?)))
        .collect()
}

fn of(server: &str) -> Option<S3Config> {
    let variable = |what: &str| env::var(format!("TERRACE_TEST_{server}_{what}")).ok();
    let Some(url) = variable("URL") else {
        // That one has its own name only for those who have another.
        if server != "S3" {
            eprintln!("SKIPPED: TERRACE_TEST_{server}_URL is not set: cargo xtask services up");
        }
        return None;
    };
    let keys = variable("ACCESS_KEY").zip(variable("SECRET_KEY"));
    let credentials = keys.map_or(Credentials::Chain, |(access, secret)| {
        Credentials::keys(access, secret)
    });
    let bucket = variable("BUCKET").unwrap_or_else(|| "terrace-test".to_owned());
    let region = variable("REGION").unwrap_or_else(|| "us-east-1".to_owned());
    let mut config = S3Config::new(bucket)
        .region(region)
        .endpoint(url)
        .credentials(credentials);
    config.options.create_bucket = true;
    // Small enough for the suite's larger bodies to have several parts.
    config.options.bodies.part_size = 5 << 20;
    Some(config)
}

/// Each trial is alone under a prefix of its own.
pub(crate) fn own(config: &S3Config) -> S3Config {
    static TRIALS: AtomicU64 = AtomicU64::new(0);
    let trial = TRIALS.fetch_add(1, Ordering::Relaxed);
    let mut config = config.clone();
    config.options.bodies.prefix = format!("test-{}/{trial}", std::process::id());
    config
}
