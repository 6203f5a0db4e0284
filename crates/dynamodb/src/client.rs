use std::sync::Arc;
use std::time::SystemTime;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{
    Builder, Credentials, SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_smithy_async::time::TimeSource;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use secrecy::ExposeSecret;
use terrace_core::{Clock, Error, ErrorKind, Result};

use crate::config::{DdbConfig, DdbCredentials, invalid};

/// The SDK's client, and where its table is, for messages.
///
/// Reads the environment and `~/.aws`, and may ask the machine it runs on for its region. Connects to nothing else.
pub(crate) async fn client(config: &DdbConfig, clock: Arc<dyn Clock>) -> Result<(Client, String)> {
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http_client(config)?)
        .time_source(PortClock(clock));
    if let Some(region) = &config.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &config.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(endpoint) = &config.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some(credentials) = &config.credentials {
        loader = loader.credentials_provider(of_config(credentials));
    }
    let found = loader.load().await;
    let region = found
        .region()
        .ok_or_else(|| invalid("no region is known: set `region`, or AWS_REGION"))?;
    let place = config.place(region.as_ref());
    let settings = Builder::from(&found)
        // Repeats and deadlines of calls are ours.
        .retry_config(RetryConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(config.connect_timeout)
                .build(),
        )
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        // A clock that is wrong must be noticed: it also decides what is past its retention.
        .disable_clock_skew_correction(true)
        .build();
    Ok((Client::from_conf(settings), place))
}

/// HTTP/1.1 with connections that are kept, and rustls with *ring*.
fn http_client(config: &DdbConfig) -> Result<SharedHttpClient> {
    let is_plain = config
        .endpoint
        .as_ref()
        .is_some_and(|url| url.starts_with("http://"));
    // Without TLS anywhere, a machine may do without certificates.
    let trusted = if is_plain && config.credentials.is_some() {
        TrustStore::empty()
    } else {
        TrustStore::default()
    };
    let tls = TlsContext::builder().with_trust_store(trusted).build();
    let tls = tls.map_err(|error| {
        let message = "TLS cannot be set up; see the cause";
        Error::new(ErrorKind::Internal, "dynamodb.config", message).with_source(error)
    })?;
    Ok(aws_smithy_http_client::Builder::new()
        .pool_max_idle_per_host(config.connections)
        .tls_provider(Provider::rustls(CryptoMode::Ring))
        .tls_context(tls)
        .build_https())
}

fn of_config(credentials: &DdbCredentials) -> Credentials {
    let token = credentials.session_token.as_ref();
    Credentials::new(
        &*credentials.access_key_id,
        credentials.secret_access_key.expose_secret(),
        token.map(|token| token.expose_secret().to_owned()),
        None,
        "DdbConfig",
    )
}

/// The clock that decides what is past its retention also signs: DynamoDB refuses what is signed more than five minutes
/// off its own time.
#[derive(Debug)]
struct PortClock(Arc<dyn Clock>);

impl TimeSource for PortClock {
    fn now(&self) -> SystemTime {
        self.0.now().into()
    }
}
