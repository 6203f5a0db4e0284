use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use terrace_core::{BlobInfo, BlobName, BlobRead, BlobStore, BlobWrite, Result};

use super::read::spoil_stream;
use super::{Faults, Faulty, Op};

#[async_trait]
impl<T: BlobStore> BlobStore for Faulty<T> {
    async fn get(&self, name: &BlobName, range: Range<u64>) -> Result<BlobRead> {
        let call = self.faults.begin(Op::BlobGet, "faulty.get").await?;
        let start = range.start;
        let mut answer = self.inner.get(name, range).await;
        if let Some(fault) = call.read_fault() {
            let faults = self.faults.clone();
            answer = answer.map(|read| spoil_stream(faults, fault, start, read));
        }
        call.end(answer).await
    }

    async fn head(&self, name: &BlobName) -> Result<Option<BlobInfo>> {
        let call = self.inner.head(name);
        self.faults.around(Op::BlobHead, "faulty.head", call).await
    }

    async fn put(&self, name: &BlobName) -> Result<Box<dyn BlobWrite>> {
        let call = self.inner.put(name);
        let inner = self.faults.around(Op::BlobPut, "faulty.put", call).await?;
        let faults = self.faults.clone();
        Ok(Box::new(FaultyWrite { inner, faults }))
    }

    async fn delete(&self, name: &BlobName) -> Result<()> {
        let call = self.inner.delete(name);
        self.faults
            .around(Op::BlobDelete, "faulty.delete", call)
            .await
    }

    fn list(&self) -> BoxStream<'_, Result<BlobInfo>> {
        let begin = async {
            let call = self.faults.begin(Op::BlobList, "faulty.list").await?;
            call.end(Ok(self.inner.list())).await
        };
        let opened = begin.map(|opened| match opened {
            Ok(listed) => listed,
            Err(error) => stream::iter([Err(error)]).boxed(),
        });
        opened.flatten_stream().boxed()
    }
}

struct FaultyWrite {
    inner: Box<dyn BlobWrite>,
    faults: Faults,
}

#[async_trait]
impl BlobWrite for FaultyWrite {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let call = self.inner.write(bytes);
        self.faults
            .around(Op::BlobWrite, "faulty.write", call)
            .await
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        let Self { inner, faults } = *self;
        let call = inner.finish();
        faults.around(Op::BlobFinish, "faulty.finish", call).await
    }
}
