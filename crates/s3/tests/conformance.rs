//! The store, held to the text of its trait, on every endpoint there is, and on the other side of a bad network.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use terrace_s3::{S3Blob, S3Config};
use terrace_testkit::{
    CurrentRuntime, FaultProxy, Fixture, blob_conformance, blob_under_faults, run,
};

mod endpoints;

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for (name, config) in endpoints::all() {
        let theirs = config.clone();
        trials.extend(blob_conformance(name, move || {
            connect(endpoints::own(&theirs))
        }));
        if let Some(server) = address(&config) {
            let theirs = config.clone();
            trials.extend(blob_conformance(&format!("{name}_slow"), move || {
                let config = endpoints::own(&theirs);
                async move {
                    let proxy = FaultProxy::slow_to(server).await.unwrap();
                    connect(by_way_of(proxy.address(), config))
                        .await
                        .keeping(proxy)
                }
            }));
            trials.extend(blob_under_faults(
                &format!("{name}_faulty"),
                server,
                move |proxy| connect(impatient(by_way_of(proxy, endpoints::own(&config)))),
            ));
        }
    }
    run(trials)
}

async fn connect(config: S3Config) -> Fixture<S3Blob> {
    let store = S3Blob::connect(config, CurrentRuntime::port()).await;
    Fixture::new(store.unwrap())
}

/// Where it listens, if that is without TLS.
fn address(config: &S3Config) -> Option<SocketAddr> {
    let url = config.endpoint.as_deref()?.strip_prefix("http://")?;
    url.parse().ok()
}

fn by_way_of(proxy: SocketAddr, mut config: S3Config) -> S3Config {
    config.endpoint = Some(format!("http://{proxy}"));
    config
}

fn impatient(mut config: S3Config) -> S3Config {
    config.options.connect_timeout = Duration::from_secs(1);
    config.options.response_timeout = Duration::from_secs(1);
    config.options.retries = 1;
    config.options.retry_timeout = Duration::from_secs(1);
    config
}
