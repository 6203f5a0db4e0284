//! The traits, call by call.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt};
use terrace_core::{
    BlobInfo, BlobName, BlobRead, BlobStore, BlobWrite, Body, Cas, Cursor, Entry, Error, ErrorKind,
    Fence, Fill, Generation, Hit, IndexCapabilities, IndexPage, IndexStore, Key, Lookup, Meta,
    PurgeOutcome, Record, Result, Target, Tier, TierKind, Timestamp, Version,
};
use tokio::sync::Mutex;

use super::body::{RemoteBody, RemoteFill};
use super::remote::{Client, Remote};

#[async_trait]
impl<S: IndexStore> IndexStore for Remote<S> {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        let key = *key;
        let get = move |store: Arc<S>| async move { store.get(&key).await }.boxed();
        self.0.read(None, get).await
    }

    async fn put_new(&self, key: &Key, record: &Record) -> Result<Cas> {
        let (key, record) = (*key, record.clone());
        let put = move |store: Arc<S>| {
            let record = record.clone();
            async move { store.put_new(&key, &record).await }.boxed()
        };
        self.0.write(200, Cas::Applied, put).await
    }

    async fn cas_update(&self, key: &Key, expected: Version, record: &Record) -> Result<Cas> {
        let (key, record) = (*key, record.clone());
        let update = move |store: Arc<S>| {
            let record = record.clone();
            async move { store.cas_update(&key, expected, &record).await }.boxed()
        };
        self.0.write(200, Cas::Applied, update).await
    }

    async fn delete(&self, key: &Key, expected: Version) -> Result<Cas> {
        let key = *key;
        let delete = move |store: Arc<S>| async move { store.delete(&key, expected).await }.boxed();
        self.0.write(200, Cas::Applied, delete).await
    }

    async fn touch_ttl(&self, key: &Key, expected: Version, until: Timestamp) -> Result<Cas> {
        let key = *key;
        let touch = move |store: Arc<S>| {
            async move { store.touch_ttl(&key, expected, until).await }.boxed()
        };
        self.0.write(200, Cas::Applied, touch).await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<IndexPage> {
        let after = after.cloned();
        let scan = move |store: Arc<S>| {
            let after = after.clone();
            async move { store.scan(after.as_ref(), limit).await }.boxed()
        };
        let nothing = IndexPage {
            records: Vec::new(),
            next: None,
        };
        self.0.read(nothing, scan).await
    }

    fn capabilities(&self) -> IndexCapabilities {
        IndexCapabilities {
            durable: false,
            max_record_bytes: 1 << 20,
        }
    }
}

#[async_trait]
impl<S: Tier> Tier for Remote<S> {
    fn kind(&self) -> TierKind {
        TierKind::Remote
    }

    async fn lookup(&self, key: &Key) -> Result<Lookup> {
        let key = *key;
        let nothing = Lookup::Miss(Fence::from_words([0; 3]));
        let lookup = move |tier: Arc<S>| async move { tier.lookup(&key).await }.boxed();
        Ok(match self.0.read(nothing, lookup).await? {
            Lookup::Hit(hit) => Lookup::Hit(Hit {
                body: Body::Stream(Box::new(RemoteBody {
                    client: Arc::clone(&self.0),
                    body: Arc::new(Mutex::new(hit.body)),
                })),
                ..hit
            }),
            miss @ Lookup::Miss(_) => miss,
        })
    }

    async fn fence(&self, key: &Key) -> Result<Fence> {
        let key = *key;
        let nothing = Fence::from_words([0; 3]);
        let fence = move |tier: Arc<S>| async move { tier.fence(&key).await }.boxed();
        self.0.read(nothing, fence).await
    }

    async fn admit(&self, key: &Key, entry: Entry, fence: Fence) -> Result<Box<dyn Fill>> {
        let key = *key;
        let admit = move |tier: Arc<S>| {
            let (entry, fence) = (entry.clone(), fence.clone());
            async move { tier.admit(&key, entry, fence).await.map(Some) }.boxed()
        };
        let fill = self.0.read(None, admit).await?;
        let message = "nothing was answered";
        let fill =
            fill.ok_or_else(|| Error::new(ErrorKind::Unavailable, "remote.admit", message))?;
        Ok(Box::new(RemoteFill {
            client: Arc::clone(&self.0),
            fill: Arc::new(Mutex::new(Some(fill))),
        }))
    }

    async fn purge(&self, target: &Target) -> Result<PurgeOutcome> {
        let target = *target;
        let purge = move |tier: Arc<S>| async move { tier.purge(&target).await }.boxed();
        self.0.write(100, PurgeOutcome::NotFound, purge).await
    }

    async fn expire(&self, target: &Target, at: Timestamp) -> Result<PurgeOutcome> {
        let target = *target;
        let expire = move |tier: Arc<S>| async move { tier.expire(&target, at).await }.boxed();
        self.0.write(100, PurgeOutcome::NotFound, expire).await
    }

    async fn update_meta(&self, key: &Key, generation: Generation, meta: Meta) -> Result<bool> {
        let key = *key;
        let update = move |tier: Arc<S>| {
            let meta = meta.clone();
            async move { tier.update_meta(&key, generation, meta).await }.boxed()
        };
        self.0.write(100, false, update).await
    }
}

#[async_trait]
impl<S: BlobStore> BlobStore for Remote<S> {
    async fn get(&self, name: &BlobName, range: Range<u64>) -> Result<BlobRead> {
        let name = *name;
        let get = move |store: Arc<S>| {
            let range = range.clone();
            async move { store.get(&name, range).await.map(Some) }.boxed()
        };
        let found = self.0.read(None, get).await?;
        let read = found.unwrap_or_else(|| stream::empty().boxed());
        let pieces = Pieces {
            client: Arc::clone(&self.0),
            read: Arc::new(Mutex::new(read)),
        };
        Ok(stream::try_unfold(pieces, Pieces::next).boxed())
    }

    async fn head(&self, name: &BlobName) -> Result<Option<BlobInfo>> {
        let name = *name;
        let head = move |store: Arc<S>| async move { store.head(&name).await }.boxed();
        self.0.read(None, head).await
    }

    async fn put(&self, name: &BlobName) -> Result<Box<dyn BlobWrite>> {
        Ok(Box::new(RemoteWrite {
            client: Arc::clone(&self.0),
            name: *name,
            pieces: Vec::new(),
        }))
    }

    async fn delete(&self, name: &BlobName) -> Result<()> {
        let name = *name;
        let delete = move |store: Arc<S>| async move { store.delete(&name).await }.boxed();
        self.0.write(100, (), delete).await
    }

    fn list(&self) -> BoxStream<'_, Result<BlobInfo>> {
        let list =
            |store: Arc<S>| async move { store.list().try_collect::<Vec<_>>().await }.boxed();
        let listed = async move { self.0.read(Vec::new(), list).await };
        listed
            .map_ok(|infos| stream::iter(infos.into_iter().map(Ok)))
            .try_flatten_stream()
            .boxed()
    }
}

/// A blob of which each piece is asked for.
struct Pieces<S> {
    client: Arc<Client<S>>,
    read: Arc<Mutex<BlobRead>>,
}

impl<S: Send + Sync + 'static> Pieces<S> {
    async fn next(self) -> Result<Option<(Bytes, Self)>> {
        let read = Arc::clone(&self.read);
        let next = move |_| {
            let read = Arc::clone(&read);
            async move { read.lock().await.next().await.transpose() }.boxed()
        };
        let piece = self.client.read(None, next).await?;
        Ok(piece.map(|piece| (piece, self)))
    }
}

/// A blob that is sent as a whole.
struct RemoteWrite<S> {
    client: Arc<Client<S>>,
    name: BlobName,
    pieces: Vec<Bytes>,
}

#[async_trait]
impl<S: BlobStore> BlobWrite for RemoteWrite<S> {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.pieces.push(bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        let (name, pieces) = (self.name, self.pieces);
        let len = pieces.iter().map(Bytes::len).sum();
        let put = move |store: Arc<S>| {
            let pieces = pieces.clone();
            async move {
                let mut writer = store.put(&name).await?;
                for piece in pieces {
                    writer.write(piece).await?;
                }
                writer.finish().await
            }
            .boxed()
        };
        self.client.write(len, (), put).await
    }
}
