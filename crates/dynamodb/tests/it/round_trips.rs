//! What a hit of the durable tier costs in requests to DynamoDB.

use std::sync::Arc;

use terrace_core::{Committed, Key, KeyDigest, Lookup, SystemClock, Tier};
use terrace_durable::{DurableConfig, DurableTier};
use terrace_dynamodb::{Billing, DdbIndex};
use terrace_memory::InMemoryBlobStore;
use terrace_testkit::sample::{Object, key};

use crate::fake::{Fake, connect};
use crate::server::Server;

type Durable = DurableTier<InMemoryBlobStore, DdbIndex>;

const INLINE_MAX: usize = 8 * 1024;

#[tokio::test]
async fn a_hit_is_one_read_of_the_index() {
    let Some(server) = Server::of_environment() else {
        return;
    };
    let mut config = server.own_table();
    let Some(upstream) = server.address() else {
        return;
    };
    let counting = Fake::before(Some(upstream)).await;
    config.endpoint = Some(counting.url());
    config.create = Some(Billing::OnDemand);
    let tier = durable(connect(config).await.unwrap());

    let inline = Object::new(INLINE_MAX, 1);
    let blob = Object::new(10 * INLINE_MAX, 2);
    for (number, object) in [(1, &inline), (2, &blob)] {
        let stored = object.store(&tier, &key(number)).await.unwrap();
        assert_eq!(stored, Committed::Published);
        counting.seen();
        read(&tier, &key(number), object).await;
        assert_eq!(counting.operations(), ["GetItem"], "object {number}");
    }
    let variant = key(1).variant(KeyDigest::of(&[b"gzip"]));
    let stored = inline.store(&tier, &variant).await.unwrap();
    assert_eq!(stored, Committed::Published);
    counting.seen();
    read(&tier, &variant, &inline).await;
    assert_eq!(
        counting.operations(),
        ["GetItem"; 2],
        "the variant, and its group"
    );
    server.remove_tables().await;
}

fn durable(index: DdbIndex) -> Durable {
    let blobs = InMemoryBlobStore::new(Arc::new(SystemClock), 16 << 20);
    let config = DurableConfig {
        inline_max: INLINE_MAX,
        ..DurableConfig::default()
    };
    DurableTier::builder(blobs, index)
        .config(config)
        .build()
        .unwrap()
}

async fn read(tier: &Durable, key: &Key, object: &Object) {
    let Lookup::Hit(mut hit) = tier.lookup(key).await.unwrap() else {
        panic!("a miss");
    };
    assert_eq!(hit.body.read_all().await.unwrap(), object.body);
}
