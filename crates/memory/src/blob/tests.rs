use futures::TryStreamExt;
use futures::executor::block_on;
use terrace_core::{Generation, Key, SystemClock};

use super::*;

fn store(capacity: u64) -> InMemoryBlobStore {
    InMemoryBlobStore::new(Arc::new(SystemClock), capacity)
}

fn name(key: &str, generation: u64) -> BlobName {
    BlobName {
        key: Key::named(key),
        generation: Generation::from_u64(generation).unwrap(),
    }
}

async fn put(store: &InMemoryBlobStore, name: &BlobName, bytes: Bytes) -> Result<()> {
    let mut write = store.put(name).await?;
    write.write(bytes).await?;
    write.finish().await
}

#[test]
fn capacity_is_given_back_by_abort_delete_and_replacement() {
    let store = store(10);
    let ten = || Bytes::from_static(b"0123456789");
    block_on(async {
        let mut aborted = store.put(&name("a", 1)).await.unwrap();
        aborted.write(ten()).await.unwrap();
        assert_eq!(store.used(), 10);
        drop(aborted);
        assert_eq!(store.used(), 0);

        put(&store, &name("a", 2), ten()).await.unwrap();
        let error = put(&store, &name("a", 3), Bytes::from_static(b"x")).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Exhausted);
        assert_eq!(store.used(), 10);

        store.delete(&name("a", 2)).await.unwrap();
        store.delete(&name("a", 2)).await.unwrap();
        assert_eq!(store.used(), 0);

        for _ in 0..2 {
            put(&store, &name("b", 1), Bytes::from_static(b"12345"))
                .await
                .unwrap();
        }
        assert_eq!(store.used(), 5);
    });
}

#[test]
fn a_failed_write_fails_for_good() {
    let store = store(1);
    block_on(async {
        let mut write = store.put(&name("a", 1)).await.unwrap();
        assert!(write.write(Bytes::from_static(b"12")).await.is_err());
        assert!(write.write(Bytes::from_static(b"1")).await.is_err());
        assert!(write.finish().await.is_err());
        assert_eq!(store.head(&name("a", 1)).await.unwrap(), None);
        assert_eq!(store.used(), 0);
    });
}

#[test]
fn a_read_outlives_a_delete_and_comes_in_pieces() {
    let store = store(1 << 20);
    let body: Bytes = (0..200_000_u32).map(|i| i.to_le_bytes()[1]).collect();
    block_on(async {
        put(&store, &name("a", 1), body.clone()).await.unwrap();
        let read = store.get(&name("a", 1), 10..190_000).await.unwrap();
        store.delete(&name("a", 1)).await.unwrap();
        let pieces: Vec<Bytes> = read.try_collect().await.unwrap();
        assert!(
            pieces
                .iter()
                .all(|piece| !piece.is_empty() && piece.len() <= PIECE)
        );
        assert_eq!(pieces.concat(), body[10..190_000]);
        let gone = store.get(&name("a", 1), 0..1).await.err().unwrap();
        assert_eq!(gone.kind(), ErrorKind::NotFound);
    });
}
