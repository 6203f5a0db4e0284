//! The store, held to the text of its trait, on a real server.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::env;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use terrace_ceph::{CephBlob, CephConfig, Credentials};
use terrace_testkit::{CurrentRuntime, Fixture, blob_conformance, run};

fn main() -> ExitCode {
    let Ok(url) = env::var("TERRACE_TEST_CEPH_URL") else {
        eprintln!("SKIPPED: TERRACE_TEST_CEPH_URL is not set: cargo xtask services up ceph");
        return ExitCode::SUCCESS;
    };
    let key = |name: &str| env::var(format!("TERRACE_TEST_CEPH_{name}")).unwrap();
    let keys = Credentials::keys(key("ACCESS_KEY"), key("SECRET_KEY"));
    let mut config = CephConfig::new(url, "terrace-test", keys);
    config.options.create_bucket = true;
    run(blob_conformance("ceph", move || {
        let config = own(&config);
        async move {
            let store = CephBlob::connect(config, CurrentRuntime::port()).await;
            Fixture::new(store.unwrap())
        }
    }))
}

/// Each trial is alone under a prefix of its own.
fn own(config: &CephConfig) -> CephConfig {
    static TRIALS: AtomicU64 = AtomicU64::new(0);
    let trial = TRIALS.fetch_add(1, Ordering::Relaxed);
    let mut config = config.clone();
    config.options.bodies.prefix = format!("test-{}/{trial}", std::process::id());
    config
}
