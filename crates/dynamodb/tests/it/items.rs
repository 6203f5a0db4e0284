//! Items of somebody else in our table.

use std::time::Duration;

use terrace_core::{Cas, ErrorKind, IndexStore, Record, Timestamp};
use terrace_dynamodb::Billing;
use terrace_testkit::sample::{key, record, version};

use crate::fake::{Answer, Fake, connect};
use crate::server::Server;

#[tokio::test]
async fn an_item_that_is_none_of_ours_is_corrupt_and_no_panic() {
    let fake = Fake::start().await;
    let index = fake.index().await;
    let items = [
        r"{}",
        r#"{"cache_key":{"S":"x"}}"#,
        r#"{"version":{"N":"1"},"retain_until":{"N":"1"},"manifest":{"B":""}}"#,
        r#"{"version":{"S":"00000000000000ff"},"retain_until":{"N":"1e99"},"manifest":{"B":""}}"#,
        r#"{"version":{"S":"00000000000000ff"},"retain_until":{"N":"1"},"manifest":{"S":""}}"#,
        r#"{"version":{"L":[]},"retain_until":{"M":{}},"manifest":{"NULL":true}}"#,
        r#"{"version":{"BOOL":true},"retain_until":{"NS":["1"]},"manifest":{"SS":["a"]}}"#,
    ];
    for item in items {
        fake.script([Answer::ok(&format!(r#"{{"Item":{item}}}"#))]);
        let error = index.get(&key(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{item}: {error}");
        let page =
            format!(r#"{{"Items":[{item}],"LastEvaluatedKey":{{"cache_key":{{"S":"x"}}}}}}"#);
        fake.script([Answer::ok(&page)]);
        let page = index.scan(None, 10).await.unwrap();
        assert!(page.records.is_empty(), "{item}");
        assert!(page.next.is_some(), "a walk goes on after {item}");
    }
}

#[tokio::test]
async fn a_walk_passes_what_is_none_of_ours() {
    let Some(server) = Server::of_environment() else {
        return;
    };
    let mut config = server.own_table();
    config.create = Some(Billing::OnDemand);
    let table = config.table.clone();
    let index = connect(config).await.unwrap();
    let client = server.client().await;
    for n in 0..20 {
        let put = index.put_new(&key(n), &record(10, n)).await.unwrap();
        assert_eq!(put, Cas::Applied);
        let name = aws_sdk_dynamodb::types::AttributeValue::S(format!("somebody else's {n}"));
        let put = client.put_item().table_name(&table).item("cache_key", name);
        put.send().await.unwrap();
    }
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = index.scan(cursor.as_ref(), 3).await.unwrap();
        seen.extend(page.records.into_iter().map(|(key, _)| key));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    seen.sort_unstable();
    let mut expected: Vec<_> = (0..20).map(key).collect();
    expected.sort_unstable();
    assert_eq!(seen, expected);
    server.remove_tables().await;
}

#[tokio::test]
async fn p9_dynamodb_is_told_when_it_may_remove_an_item() {
    let Some(server) = Server::of_environment() else {
        return;
    };
    let mut config = server.own_table();
    config.create = Some(Billing::OnDemand);
    let table = config.table.clone();
    let index = connect(config).await.unwrap();
    let client = server.client().await;
    let expires_at = async || {
        let name = aws_sdk_dynamodb::types::AttributeValue::S(key(1).to_string());
        let get = client.get_item().table_name(&table).key("cache_key", name);
        let item = get.send().await.unwrap().item.unwrap();
        let at = item.get("expires_at")?.as_n().unwrap();
        Some(at.parse::<u64>().unwrap())
    };
    let until = Timestamp::from_millis(4_102_444_800_000);
    let retained = Record {
        retain_until: until,
        ..record(10, 1)
    };
    assert_eq!(
        index.put_new(&key(1), &retained).await.unwrap(),
        Cas::Applied
    );
    let removable = until.as_millis() / 1000 + 3600;
    assert_eq!(expires_at().await, Some(removable));

    let touch = async |until| index.touch_ttl(&key(1), version(1), until).await.unwrap();
    assert_eq!(touch(Timestamp::MAX).await, Cas::Applied);
    assert_eq!(expires_at().await, None, "never");
    let later = until.after(Duration::from_secs(7));
    assert_eq!(touch(later).await, Cas::Applied);
    assert_eq!(expires_at().await, Some(removable + 7));
    server.remove_tables().await;
}
