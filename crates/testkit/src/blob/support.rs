use std::ops::Range;

use bytes::Bytes;
use futures::TryStreamExt;
use libtest_mimic::Failed;
use terrace_core::{BlobInfo, BlobName, ErrorKind, Result};

use super::Blobs;
use crate::suite::{Outcome, check, check_eq};

/// Writes `body` in pieces of `piece` bytes.
pub(super) async fn put(store: &Blobs, name: &BlobName, body: &Bytes, piece: usize) -> Result<()> {
    let mut writer = store.put(name).await?;
    let mut rest = body.clone();
    while !rest.is_empty() {
        writer.write(rest.split_to(piece.min(rest.len()))).await?;
    }
    writer.finish().await
}

/// Reads a range to its end.
pub(super) async fn get(store: &Blobs, name: &BlobName, range: Range<u64>) -> Result<Vec<u8>> {
    let stream = store.get(name, range).await?;
    let pieces = stream.try_fold(Vec::new(), |mut all, piece| async move {
        all.extend_from_slice(&piece);
        Ok(all)
    });
    pieces.await
}

/// The error of a `get` that is refused before any byte flows.
pub(super) async fn refusal(
    store: &Blobs,
    name: &BlobName,
    range: Range<u64>,
) -> Option<ErrorKind> {
    store.get(name, range).await.err().map(|error| error.kind())
}

/// Every blob listed, in the order of their names.
pub(super) async fn list(store: &Blobs) -> Result<Vec<BlobInfo>> {
    let mut all: Vec<BlobInfo> = store.list().try_collect().await?;
    all.sort_unstable_by_key(|info| info.name);
    Ok(all)
}

/// `name` is there, whole, by every way of looking.
pub(super) async fn check_present(store: &Blobs, name: &BlobName, body: &Bytes) -> Outcome {
    let len = body.len() as u64;
    let info = store.head(name).await?;
    check_eq!(
        info.map(|info| (info.name, info.len)),
        Some((*name, len)),
        "head"
    );
    let bytes = get(store, name, 0..len).await?;
    check!(
        bytes == *body,
        "the {len} bytes written, got {} bytes{}",
        bytes.len(),
        first_difference(&bytes, body)
    );
    let listed = list(store).await?;
    let listed: Vec<_> = listed.iter().filter(|info| info.name == *name).collect();
    check_eq!(listed.len(), 1, "times that list sees {name}");
    check_eq!(listed[0].len, len, "its length in list");
    Ok(())
}

/// `name` is not there, by any way of looking.
pub(super) async fn check_absent(store: &Blobs, name: &BlobName) -> Outcome {
    check_eq!(store.head(name).await?, None, "head of what is not visible");
    for range in [0..0, 0..1] {
        let kind = refusal(store, name, range.clone()).await;
        check_eq!(
            kind,
            Some(ErrorKind::NotFound),
            "get of {range:?} of what is not visible"
        );
    }
    let listed = list(store).await?;
    check!(
        !listed.iter().any(|info| info.name == *name),
        "list shows {name}, which is not visible"
    );
    Ok(())
}

/// `name` is whole, or not there; says which.
pub(super) async fn whole_or_absent(
    store: &Blobs,
    name: &BlobName,
    body: &Bytes,
) -> Result<bool, Failed> {
    let Some(info) = store.head(name).await? else {
        return Ok(false);
    };
    check_eq!(info.len, body.len() as u64, "a visible blob is whole");
    check_present(store, name, body).await?;
    Ok(true)
}

fn first_difference(got: &[u8], expected: &[u8]) -> String {
    match got.iter().zip(expected).position(|(a, b)| a != b) {
        Some(at) => format!(", the first difference at {at}"),
        None => String::new(),
    }
}
