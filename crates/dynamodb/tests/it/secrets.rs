//! P11: no secret is printed.

use std::io::Write;
use std::sync::{Arc, Mutex};

use terrace_core::IndexStore;
use terrace_dynamodb::DdbCredentials;
use terrace_testkit::sample::{key, record};
use tracing_subscriber::fmt::MakeWriter;

use crate::fake::{Answer, Fake, connect};

/// All that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// On one thread, whose log is taken whole.
#[tokio::test]
async fn p11_not_by_logs_nor_errors_nor_debug() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);

    let fake = Fake::start().await;
    let mut config = fake.config();
    config.credentials = Some(DdbCredentials {
        access_key_id: "AKIAEXAMPLE".to_owned(),
        secret_access_key: "secret-canary".into(),
        session_token: Some("token-canary".into()),
    });
    let mut said = vec![format!("{config:?}")];
    let index = connect(config).await.unwrap();
    said.push(format!("{index:?}"));
    fake.script([
        Answer::ok("{}"),
        Answer::refusal(400, "InvalidSignatureException", "wrong secret"),
        Answer::Close,
    ]);
    index.get(&key(1)).await.unwrap();
    for _ in 0..2 {
        let error = index.put_new(&key(1), &record(10, 1)).await.unwrap_err();
        said.push(format!("{error} {error:?}"));
    }
    said.push(String::from_utf8(log.0.lock().unwrap().clone()).unwrap());
    let said = said.concat();
    assert!(
        said.contains("transmitting request"),
        "the SDK was not heard"
    );
    let sent = fake.seen().len();
    assert_eq!(sent, 3);
    for canary in ["secret-canary", "token-canary"] {
        if let Some(at) = said.find(canary) {
            panic!(
                "{}",
                &said[at.saturating_sub(500)..(at + 100).min(said.len())]
            );
        }
    }
}
