//! An index in DynamoDB. Its client is the official SDK.

use std::env;
use std::sync::Arc;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig,
};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodb::{Client, Config};
use terrace_core::SystemClock;
use terrace_dynamodb::{Billing, DdbConfig, DdbCredentials, DdbIndex};
use terrace_tiers::TokioRuntime;
use tokio::time::Instant;

use crate::Outcome;
use crate::indexes::{key_of, stored, that_fit};
use crate::read;
use crate::subject::{Fetch, Subject, fetch};

const TABLE: &str = "terrace-bench";
const REGION: &str = "us-east-1";
/// DynamoDB Local takes any.
const ANY: &str = "bench";

pub(crate) async fn dynamodb(sizes: &[usize]) -> Outcome<Vec<Subject>> {
    let Ok(url) = env::var("TERRACE_TEST_DYNAMODB_URL") else {
        return Ok(Vec::new());
    };
    let mut config = DdbConfig::new(TABLE);
    config.create = Some(Billing::OnDemand);
    config.region = Some(REGION.to_owned());
    config.endpoint = Some(url.clone());
    config.credentials = Some(DdbCredentials {
        access_key_id: ANY.to_owned(),
        secret_access_key: ANY.into(),
        session_token: None,
    });
    let runtime = Arc::new(TokioRuntime::current());
    let index = Arc::new(DdbIndex::connect(config, runtime, Arc::new(SystemClock)).await?);
    let client = client(&url);
    let mut subjects = Vec::new();
    for bytes in that_fit(sizes) {
        subjects.push(Subject {
            backend: "DdbIndex",
            peer: "`GetItem` by the SDK",
            bytes,
            ours: stored(&index, bytes).await?,
            raw: get_item(&client, bytes),
        });
    }
    Ok(subjects)
}

/// Repeats nothing, as the adapter's.
fn client(url: &str) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(REGION))
        .endpoint_url(url)
        .credentials_provider(Credentials::new(ANY, ANY, None, None, "bench"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    Client::from_conf(config.build())
}

/// The same item by the SDK alone.
fn get_item(client: &Client, bytes: usize) -> Fetch {
    let key = AttributeValue::S(key_of(bytes).to_string());
    let get = client.get_item().table_name(TABLE).consistent_read(true);
    let get = get.key("cache_key", key);
    fetch(move || {
        let get = get.clone();
        async move {
            let begun = Instant::now();
            let item = get.send().await?.item.ok_or("no item")?;
            let manifest = item.get("manifest").and_then(|it| it.as_b().ok());
            let manifest = manifest.ok_or("no manifest")?;
            Ok(read::whole(begun, manifest.as_ref().len()))
        }
    })
}
