//! Tables that are there, are not, or are another's.

use futures::future::join_all;
use terrace_core::{Cas, ErrorKind, IndexStore};
use terrace_dynamodb::Billing;
use terrace_testkit::sample::{key, record};

use crate::fake::{Fake, GOOD_TABLE, connect};
use crate::server::Server;

#[tokio::test]
async fn a_table_that_is_missing_is_an_error_unless_it_may_be_made() {
    let Some(server) = Server::of_environment() else {
        return;
    };
    let mut config = server.own_table();
    let error = connect(config.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("`create`"), "{error}");

    config.create = Some(Billing::OnDemand);
    let index = connect(config.clone()).await.unwrap();
    let put = index.put_new(&key(1), &record(10, 1)).await.unwrap();
    assert_eq!(put, Cas::Applied);

    config.create = None;
    let again = connect(config).await.unwrap();
    assert_eq!(again.get(&key(1)).await.unwrap(), Some(record(10, 1)));
    assert!(again.capabilities().durable);
    server.remove_tables().await;
}

#[tokio::test]
async fn any_number_of_processes_may_make_it_at_once() {
    let Some(server) = Server::of_environment() else {
        return;
    };
    let mut config = server.own_table();
    config.create = Some(Billing::Provisioned {
        read_units: 5,
        write_units: 5,
    });
    let connected = join_all((0..8).map(|_| connect(config.clone()))).await;
    for index in connected {
        assert!(index.unwrap().capabilities().durable);
    }
    let described = server.client().await.describe_table();
    let described = described.table_name(&config.table).send().await.unwrap();
    let units = described.table.unwrap().provisioned_throughput.unwrap();
    assert_eq!(units.read_capacity_units, Some(5));
    server.remove_tables().await;
}

#[tokio::test]
async fn a_table_without_time_to_live_is_refused_or_given_one() {
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    };
    let Some(server) = Server::of_environment() else {
        return;
    };
    let mut config = server.own_table();
    let name = AttributeDefinition::builder().attribute_name("cache_key");
    let name = name.attribute_type(ScalarAttributeType::S).build().unwrap();
    let key = KeySchemaElement::builder().attribute_name("cache_key");
    let key = key.key_type(KeyType::Hash).build().unwrap();
    let create = server.client().await.create_table();
    let create = create.table_name(&config.table).attribute_definitions(name);
    let create = create
        .key_schema(key)
        .billing_mode(BillingMode::PayPerRequest);
    create.send().await.unwrap();

    let error = connect(config.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("expires_at"), "{error}");
    config.create = Some(Billing::OnDemand);
    connect(config.clone()).await.unwrap();
    config.create = None;
    connect(config).await.unwrap();
    server.remove_tables().await;
}

#[tokio::test]
async fn a_table_with_other_keys_is_refused() {
    let others = [
        GOOD_TABLE.replace(r#""AttributeType":"S""#, r#""AttributeType":"B""#),
        GOOD_TABLE.replace("cache_key", "id"),
        GOOD_TABLE.replace(
            r#""KeySchema":["#,
            r#""KeySchema":[{"AttributeName":"sort","KeyType":"RANGE"},"#,
        ),
    ];
    let fake = Fake::start().await;
    for other in others {
        fake.describe_table(&other);
        let error = connect(fake.config()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{other}: {error}");
        assert!(error.to_string().contains("cache_key"), "{error}");
    }
}

#[tokio::test]
async fn a_table_with_replicas_is_not_durable() {
    let fake = Fake::start().await;
    assert!(fake.index().await.capabilities().durable);
    fake.describe_table(&format!(
        r#"{GOOD_TABLE},"Replicas":[{{"RegionName":"eu-west-1","ReplicaStatus":"ACTIVE"}}]"#
    ));
    assert!(!fake.index().await.capabilities().durable);
}

#[tokio::test]
async fn a_start_waits_no_longer_than_it_is_told() {
    let fake = Fake::start().await;
    fake.describe_table(&GOOD_TABLE.replace("ACTIVE", "CREATING"));
    let mut config = fake.config();
    config.create = Some(Billing::OnDemand);
    config.start_timeout = std::time::Duration::from_millis(400);
    let error = connect(config).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
}
