//! Blob stores.

use std::env;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use terrace_core::{BlobName, BlobStore};
use terrace_object_store::object_store::aws::AmazonS3Builder;
use terrace_object_store::object_store::local::LocalFileSystem;
use terrace_object_store::object_store::path::Path as ObjectPath;
use terrace_object_store::object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _};
use terrace_object_store::{LocalConfig, ObjectBlob};
use terrace_s3::{Credentials, S3Blob, S3Config};
use terrace_testkit::sample::{blob_name, body};
use terrace_tiers::TokioRuntime;
use tokio::time::Instant;

use crate::Outcome;
use crate::read;
use crate::subject::{Fetch, Subject, fetch};

const BUCKET: &str = "terrace-bench";

pub(crate) async fn files(sizes: &[usize], folder: &Path) -> Outcome<Vec<Subject>> {
    let store = Arc::new(local(folder).await?);
    let client = LocalFileSystem::new_with_prefix(folder)?;
    let client: Arc<dyn ObjectStore> = Arc::new(client);
    let mut subjects = Vec::new();
    for &bytes in sizes {
        subjects.push(Subject {
            backend: "ObjectBlob, files",
            peer: "object_store",
            bytes,
            ours: stored(&store, bytes).await?,
            raw: put(&client, bytes).await?,
        });
    }
    Ok(subjects)
}

pub(crate) async fn local(folder: &Path) -> Outcome<ObjectBlob> {
    let runtime = Arc::new(TokioRuntime::current());
    let config = LocalConfig::default();
    Ok(ObjectBlob::local(folder.join("bodies"), runtime, config).await?)
}

pub(crate) async fn s3(sizes: &[usize]) -> Outcome<Vec<Subject>> {
    let mut subjects = Vec::new();
    for (backend, server) in [("S3Blob, MinIO", "MINIO"), ("S3Blob, Ceph", "CEPH")] {
        let Some(endpoint) = Endpoint::named(server) else {
            continue;
        };
        let store = Arc::new(endpoint.connect().await?);
        let client = endpoint.client()?;
        for &bytes in sizes {
            subjects.push(Subject {
                backend,
                peer: "object_store",
                bytes,
                ours: stored(&store, bytes).await?,
                raw: put(&client, bytes).await?,
            });
        }
    }
    Ok(subjects)
}

/// A server that speaks S3.
pub(crate) struct Endpoint {
    url: String,
    access: String,
    secret: String,
}

impl Endpoint {
    pub(crate) fn named(server: &str) -> Option<Self> {
        let variable = |what: &str| env::var(format!("TERRACE_TEST_{server}_{what}")).ok();
        Some(Self {
            url: variable("URL")?,
            access: variable("ACCESS_KEY")?,
            secret: variable("SECRET_KEY")?,
        })
    }

    pub(crate) async fn connect(&self) -> Outcome<S3Blob> {
        let mut config = S3Config::new(BUCKET)
            .region("us-east-1")
            .endpoint(&self.url)
            .credentials(Credentials::keys(&*self.access, &*self.secret));
        config.options.create_bucket = true;
        let runtime = Arc::new(TokioRuntime::current());
        Ok(S3Blob::connect(config, runtime).await?)
    }

    pub(crate) fn client(&self) -> Outcome<Arc<dyn ObjectStore>> {
        let client = AmazonS3Builder::new()
            .with_endpoint(&self.url)
            .with_allow_http(true)
            .with_region("us-east-1")
            .with_bucket_name(BUCKET)
            .with_access_key_id(&self.access)
            .with_secret_access_key(&self.secret)
            .build()?;
        Ok(Arc::new(client))
    }
}

/// A blob of `bytes` in `store`, and how it is read.
async fn stored<B: BlobStore>(store: &Arc<B>, bytes: usize) -> Outcome<Fetch> {
    let name: BlobName = blob_name(1, bytes as u64);
    let mut blob = store.put(&name).await?;
    blob.write(body(bytes, 1)).await?;
    blob.finish().await?;
    let store = Arc::clone(store);
    Ok(fetch(move || {
        let store = Arc::clone(&store);
        async move {
            let begun = Instant::now();
            let blob = store.get(&name, 0..bytes as u64).await?;
            read::stream(begun, blob).await
        }
    }))
}

/// As many bytes as an object, and the client that gets them by the request an adapter makes: a range, of a name like its own.
pub(crate) async fn put(client: &Arc<dyn ObjectStore>, bytes: usize) -> Outcome<Fetch> {
    let path = ObjectPath::from(blob_name(2, bytes as u64).to_string());
    let payload: Bytes = body(bytes, 1);
    client.put(&path, payload.into()).await?;
    let client = Arc::clone(client);
    let options = GetOptions {
        range: Some(GetRange::Bounded(0..bytes as u64)),
        ..GetOptions::default()
    };
    Ok(fetch(move || {
        let (client, path, options) = (Arc::clone(&client), path.clone(), options.clone());
        async move {
            let begun = Instant::now();
            let object = client.get_opts(&path, options).await?;
            read::stream(begun, object.into_stream()).await
        }
    }))
}
