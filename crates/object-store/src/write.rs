use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use terrace_core::{BlobWrite, Error, ErrorKind, Result};

use crate::error::{from_store, of_a_change};
use crate::store::Shared;
use crate::upload::Upload;

/// A blob that is being written: by one request at its end if it fits into a part, by an upload in parts otherwise.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    path: Path,
    /// The part being filled: copied, because a slice that waits here would hold on to all of the buffer
    /// it was cut from.
    buffer: Vec<u8>,
    /// The upload, from the second part on.
    upload: Option<Upload>,
    /// A write failed or was dropped: which bytes are in, nobody knows.
    broken: bool,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, path: Path) -> Self {
        Self {
            shared,
            path,
            buffer: Vec::new(),
            upload: None,
            broken: false,
        }
    }

    /// Appends what fits, growing by doubling up to exactly one part.
    fn fill(&mut self, bytes: &mut Bytes) {
        let part_size = self.shared.part_size;
        let now = bytes.split_to(bytes.len().min(part_size - self.buffer.len()));
        let needed = self.buffer.len() + now.len();
        if needed > self.buffer.capacity() {
            let capacity = needed.max(2 * self.buffer.capacity()).min(part_size);
            self.buffer.reserve_exact(capacity - self.buffer.len());
        }
        self.buffer.extend_from_slice(&now);
    }

    async fn send_part(&mut self) -> Result<()> {
        let part = std::mem::take(&mut self.buffer).into();
        let upload = self
            .upload
            .get_or_insert_with(|| Upload::start(&self.shared, self.path.clone()));
        upload.part(part).await
    }

    fn check_whole(&self) -> Result<()> {
        if !self.broken {
            return Ok(());
        }
        let message = format!("{}: an earlier write failed; drop the writer", self.path);
        Err(Error::new(
            ErrorKind::Invalid,
            "object_store.write",
            message,
        ))
    }
}

#[async_trait]
impl BlobWrite for Writer {
    async fn write(&mut self, mut bytes: Bytes) -> Result<()> {
        self.check_whole()?;
        self.broken = true;
        while !bytes.is_empty() {
            // A full part is sent only when there is more: the last one goes with `finish`.
            if self.buffer.len() == self.shared.part_size {
                self.send_part().await?;
            }
            self.fill(&mut bytes);
        }
        self.broken = false;
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<()> {
        self.check_whole()?;
        if self.upload.is_some() {
            self.send_part().await?;
        }
        if let Some(upload) = self.upload.take() {
            return upload.finish().await;
        }
        let payload = std::mem::take(&mut self.buffer).into();
        match self.shared.store.put(&self.path, payload).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let error = from_store("object_store.finish", &self.path, error);
                Err(of_a_change(error))
            }
        }
    }
}
