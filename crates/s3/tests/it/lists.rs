//! Lists of more than one page.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use terrace_core::{BlobName, BlobStore as _, Generation, Key};
use terrace_s3::S3Blob;
use terrace_testkit::CurrentRuntime;

use crate::endpoints;

/// Two pages and a half.
const BLOBS: u64 = 2_500;

#[tokio::test(flavor = "multi_thread")]
async fn thousands_are_listed_each_once() {
    for (name, config) in endpoints::all() {
        let store = S3Blob::connect(endpoints::own(&config), CurrentRuntime::port());
        let store = store.await.unwrap();
        let names: BTreeSet<_> = (1..=BLOBS).map(blob).collect();
        stream::iter(&names)
            .map(Ok)
            .try_for_each_concurrent(32, |name| async { store.put(name).await?.finish().await })
            .await
            .unwrap();
        let listed: Vec<_> = store.list().try_collect().await.unwrap();
        assert_eq!(listed.len(), names.len(), "on {name}");
        let listed: BTreeSet<_> = listed.into_iter().map(|info| info.name).collect();
        assert!(listed == names, "on {name}");
        stream::iter(&names)
            .map(Ok)
            .try_for_each_concurrent(32, |name| store.delete(name))
            .await
            .unwrap();
    }
}

fn blob(number: u64) -> BlobName {
    BlobName {
        key: Key::named(format!("listed {number}")),
        generation: Generation::from_u64(number).unwrap(),
    }
}
