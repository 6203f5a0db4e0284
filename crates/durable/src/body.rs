use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use terrace_core::{
    BlobName, BlobRead, BlobStore, BlockChecksums, BodySource, Error, ErrorKind, Result,
    VerifiedBody,
};

const OP: &str = "durable.read";

/// The body that is in the blob `name`.
pub(crate) fn blob_body<B: BlobStore>(
    blobs: Arc<B>,
    name: BlobName,
    checksums: Arc<BlockChecksums>,
    max_piece: usize,
) -> VerifiedBody<Blob<B>> {
    VerifiedBody::new(OP, Blob { blobs, name }, checksums, max_piece)
}

pub(crate) struct Blob<B> {
    blobs: Arc<B>,
    name: BlobName,
}

#[async_trait]
impl<B: BlobStore> BodySource for Blob<B> {
    async fn open(&self, range: Range<u64>) -> Result<BlobRead> {
        let stream = self.blobs.get(&self.name, range).await;
        stream.map_err(|error| too_short(&self.name, error))
    }
}

impl<B> fmt::Display for Blob<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the blob {}", self.name)
    }
}

/// The manifest knows how long the blob is: a range that leaves it is the blob's fault, and not the reader's.
fn too_short(name: &BlobName, error: Error) -> Error {
    if error.kind() != ErrorKind::Invalid {
        return error;
    }
    let message = format!("the blob {name} is shorter than its manifest says");
    Error::new(ErrorKind::Corrupt, OP, message).with_source(error)
}

#[cfg(test)]
mod tests;
