//! The store, held to the text of its trait, on every endpoint there is.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::process::ExitCode;

use terrace_s3::S3Blob;
use terrace_testkit::{CurrentRuntime, Fixture, blob_conformance, run};

mod endpoints;

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for (name, config) in endpoints::all() {
        trials.extend(blob_conformance(name, move || {
            let config = endpoints::own(&config);
            async move {
                let store = S3Blob::connect(config, CurrentRuntime::port()).await;
                Fixture::new(store.unwrap())
            }
        }));
    }
    run(trials)
}
