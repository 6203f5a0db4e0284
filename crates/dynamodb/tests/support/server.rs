use std::env;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Credentials;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use terrace_dynamodb::DdbConfig;

use crate::local::local;

/// The server that `TERRACE_TEST_DYNAMODB_URL` names: a DynamoDB Local; or, with `https://`, one for which the environment has
/// region and credentials.
#[derive(Clone)]
pub(crate) struct Server {
    url: String,
    tables: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Nothing, said loudly, where there is none.
    pub(crate) fn of_environment() -> Option<Self> {
        let url = env::var("TERRACE_TEST_DYNAMODB_URL").ok();
        if url.is_none() {
            eprintln!(
                "SKIPPED: TERRACE_TEST_DYNAMODB_URL is not set: cargo xtask services up dynamodb"
            );
        }
        Some(Self {
            url: url?,
            tables: Arc::default(),
        })
    }

    /// A table of this test's own, which is not there yet.
    pub(crate) fn own_table(&self) -> DdbConfig {
        static TABLES: AtomicU64 = AtomicU64::new(0);
        let number = TABLES.fetch_add(1, Ordering::Relaxed);
        let table = format!("terrace-test-{}-{number}", std::process::id());
        self.tables.lock().unwrap().push(table.clone());
        let mut config = if self.is_local() {
            local(&self.url, &table)
        } else {
            DdbConfig::new(table)
        };
        config.endpoint = Some(self.url.clone());
        // No test of a real server is about deadlines, and a machine may have much else to do.
        config.attempt_timeout = Duration::from_mins(1);
        config.call_timeout = Duration::from_mins(2);
        config.start_timeout = Duration::from_mins(3);
        config
    }

    /// Where it listens, if that is without TLS.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        let address = self.url.strip_prefix("http://").map(str::parse);
        let address = address.and_then(Result::ok);
        if address.is_none() {
            eprintln!(
                "SKIPPED: {} is no address that a proxy can stand before",
                self.url
            );
        }
        address
    }

    /// A client for what no index does.
    pub(crate) async fn client(&self) -> Client {
        let http = if self.is_local() {
            aws_smithy_http_client::Builder::new().build_http()
        } else {
            let tls = Provider::rustls(CryptoMode::Ring);
            let builder = aws_smithy_http_client::Builder::new();
            builder.tls_provider(tls).build_https()
        };
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .endpoint_url(&self.url);
        if self.is_local() {
            let credentials = Credentials::new("test", "test", None, None, "test");
            loader = loader
                .region(Region::new("us-east-1"))
                .credentials_provider(credentials);
        }
        Client::new(&loader.load().await)
    }

    /// Removes what the tests have made: elsewhere than here it is paid for.
    pub(crate) async fn remove_tables(&self) {
        let tables: Vec<_> = self.tables.lock().unwrap().drain(..).collect();
        let client = self.client().await;
        for table in tables {
            // One that was never made cannot be removed.
            let _ = client.delete_table().table_name(table).send().await;
        }
    }

    fn is_local(&self) -> bool {
        self.url.starts_with("http://")
    }
}
