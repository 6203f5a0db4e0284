//! What is asked of DynamoDB: no local server lags, throttles or fails over, so that only the request can show it.

use terrace_core::{Cas, IndexStore};
use terrace_testkit::sample::{key, record, version};

use crate::fake::Fake;

#[tokio::test]
async fn p4_reads_are_strongly_consistent_and_writes_conditional() {
    let fake = Fake::start().await;
    let index = fake.index().await;
    index.get(&key(1)).await.unwrap();
    index.scan(None, 10).await.unwrap();
    for request in fake.seen() {
        let consistent = request.body.contains(r#""ConsistentRead":true"#);
        assert!(consistent, "{}: {}", request.operation, request.body);
    }
    let (key, record) = (key(1), record(10, 1));
    let writes = [
        index.put_new(&key, &record),
        index.cas_update(&key, version(1), &record),
        index.delete(&key, version(1)),
        index.touch_ttl(&key, version(1), record.retain_until),
    ];
    for write in writes {
        assert_eq!(write.await.unwrap(), Cas::Applied);
    }
    let writes = fake.seen();
    assert_eq!(writes.len(), 4);
    for request in writes {
        let conditional = request.body.contains(r#""ConditionExpression":"#);
        assert!(conditional, "{}: {}", request.operation, request.body);
    }
}
