use async_trait::async_trait;
use bytes::Bytes;
use terrace_core::{
    Commit, Committed, Entry, Fence, Fill, Generation, Key, Lookup, Meta, PurgeOutcome, Result,
    Target, Tier, TierKind, Timestamp,
};

use super::read::spoil_body;
use super::{Faults, Faulty, Op};

#[async_trait]
impl<T: Tier> Tier for Faulty<T> {
    /// That of the tier behind it; but whatever can fail is remote.
    fn kind(&self) -> TierKind {
        match self.inner.kind() {
            TierKind::Absent => TierKind::Absent,
            TierKind::Memory | TierKind::Remote => TierKind::Remote,
        }
    }

    async fn lookup(&self, key: &Key) -> Result<Lookup> {
        let call = self.faults.begin(Op::Lookup, "faulty.lookup").await?;
        let mut answer = self.inner.lookup(key).await;
        if let (Some(fault), Ok(Lookup::Hit(hit))) = (call.read_fault(), &mut answer) {
            let body =
                std::mem::replace(&mut hit.body, terrace_core::Body::from_bytes(Bytes::new()));
            hit.body = spoil_body(self.faults.clone(), fault, body);
        }
        call.end(answer).await
    }

    async fn fence(&self, key: &Key) -> Result<Fence> {
        let call = self.inner.fence(key);
        self.faults.around(Op::Fence, "faulty.fence", call).await
    }

    async fn admit(&self, key: &Key, entry: Entry, fence: Fence) -> Result<Box<dyn Fill>> {
        let call = self.inner.admit(key, entry, fence);
        let inner = self.faults.around(Op::Admit, "faulty.admit", call).await?;
        let faults = self.faults.clone();
        Ok(Box::new(FaultyFill { inner, faults }))
    }

    async fn purge(&self, target: &Target) -> Result<PurgeOutcome> {
        let call = self.inner.purge(target);
        self.faults.around(Op::Purge, "faulty.purge", call).await
    }

    async fn expire(&self, target: &Target, at: Timestamp) -> Result<PurgeOutcome> {
        let call = self.inner.expire(target, at);
        self.faults.around(Op::Expire, "faulty.expire", call).await
    }

    async fn update_meta(&self, key: &Key, generation: Generation, meta: Meta) -> Result<bool> {
        let call = self.inner.update_meta(key, generation, meta);
        let name = "faulty.update_meta";
        self.faults.around(Op::UpdateMeta, name, call).await
    }
}

struct FaultyFill {
    inner: Box<dyn Fill>,
    faults: Faults,
}

#[async_trait]
impl Fill for FaultyFill {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        let call = self.inner.write(chunk);
        self.faults
            .around(Op::FillWrite, "faulty.write", call)
            .await
    }

    async fn commit(self: Box<Self>, commit: Commit) -> Result<Committed> {
        let Self { inner, faults } = *self;
        let call = inner.commit(commit);
        faults.around(Op::Commit, "faulty.commit", call).await
    }
}
