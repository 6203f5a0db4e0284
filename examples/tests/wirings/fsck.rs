use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser};
use terrace::backend::{BlobStore, IndexStore};
use terrace::durable::{DurableTier, GcOptions};
use terrace::{Clock, Runtime, SystemClock, Timestamp, TokioRuntime};
use terrace_examples::backends;
use terrace_examples::run::BoxError;

use crate::Deployment;

/// Collects garbage as it will be collected when every grace is over, and says how many bodies are left.
pub(crate) async fn fsck(deployment: &Deployment) -> u64 {
    let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::current());
    match deployment.wiring.name {
        "dev" => {
            let bodies = args::<backends::MinioArgs>(deployment, "minio");
            let index = args::<backends::RedisArgs>(deployment, "redis");
            sweep(bodies.bodies(&runtime).await, index.index().await).await
        }
        "aws" => {
            let bodies = args::<backends::S3Args>(deployment, "s3");
            let index = args::<backends::DynamodbArgs>(deployment, "dynamodb");
            sweep(bodies.bodies(&runtime).await, index.index(&runtime).await).await
        }
        "global" => {
            let bodies = args::<backends::S3Args>(deployment, "s3");
            let index = args::<backends::CockroachArgs>(deployment, "cockroach");
            sweep(bodies.bodies(&runtime).await, index.index(&runtime).await).await
        }
        "onprem" => {
            let bodies = args::<backends::CephArgs>(deployment, "ceph");
            let index = args::<backends::CockroachArgs>(deployment, "cockroach");
            sweep(bodies.bodies(&runtime).await, index.index(&runtime).await).await
        }
        other => panic!("{other}: how is it wired?"),
    }
}

async fn sweep<B: BlobStore, I: IndexStore>(
    bodies: Result<B, BoxError>,
    index: Result<I, BoxError>,
) -> u64 {
    let bodies = bodies.expect("the store of bodies is there");
    let index = index.expect("the index is there");
    let durable = DurableTier::builder(bodies, index).clock(Arc::new(Later));
    let durable = durable.build().expect("the default is valid");
    let collect = async |dry_run| {
        let options = GcOptions {
            dry_run,
            ..GcOptions::default()
        };
        let report = durable
            .collect(&options)
            .await
            .expect("the stores are well");
        assert!(report.undecidable == 0 && !report.truncated, "{report:?}");
        report
    };
    collect(false).await;
    let report = collect(true).await;
    assert_eq!(report.orphans, 0, "{report:?}");
    report.scanned
}

/// The time when every grace is over, and no object has expired.
#[derive(Debug)]
struct Later;

impl Clock for Later {
    fn now(&self) -> Timestamp {
        SystemClock.now().after(Duration::from_hours(3))
    }
}

#[derive(Debug, Parser)]
struct Only<A: Args> {
    #[command(flatten)]
    args: A,
}

/// The options of one backend, as the proxy got them.
fn args<A: Args + std::fmt::Debug>(deployment: &Deployment, section: &str) -> A {
    let own = deployment.settings.iter().filter_map(|(key, value)| {
        let (of, key) = key.split_once('.')?;
        let option = format!("--{section}-{}", key.replace('_', "-"));
        (of == section).then(|| match value.as_str() {
            "true" => option,
            value => format!("{option}={value}"),
        })
    });
    let words = std::iter::once("fsck".to_owned()).chain(own);
    Only::<A>::try_parse_from(words)
        .expect("as the proxy got them")
        .args
}
