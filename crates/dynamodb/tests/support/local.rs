use terrace_dynamodb::{DdbConfig, DdbCredentials};

/// A table of the DynamoDB Local at `url`, which takes any credentials.
pub(crate) fn local(url: &str, table: &str) -> DdbConfig {
    let mut config = DdbConfig::new(table);
    config.region = Some("us-east-1".to_owned());
    config.endpoint = Some(url.to_owned());
    config.credentials = Some(DdbCredentials {
        access_key_id: "test".to_owned(),
        secret_access_key: "test".into(),
        session_token: None,
    });
    config
}
