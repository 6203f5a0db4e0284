use async_trait::async_trait;
use terrace_core::{
    Cas, Cursor, IndexCapabilities, IndexPage, IndexStore, Key, Record, Result, Timestamp, Version,
};

use super::read::spoil_bytes;
use super::{Faulty, Op};

#[async_trait]
impl<T: IndexStore> IndexStore for Faulty<T> {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        let call = self.faults.begin(Op::IndexGet, "faulty.get").await?;
        let mut answer = self.inner.get(key).await;
        if let (Some(fault), Ok(Some(record))) = (call.read_fault(), &mut answer) {
            let manifest = std::mem::take(&mut record.manifest);
            record.manifest = spoil_bytes(&self.faults, fault, manifest).await?;
        }
        call.end(answer).await
    }

    async fn put_new(&self, key: &Key, record: &Record) -> Result<Cas> {
        let call = self.inner.put_new(key, record);
        self.faults.around(Op::PutNew, "faulty.put_new", call).await
    }

    async fn cas_update(&self, key: &Key, expected: Version, record: &Record) -> Result<Cas> {
        let call = self.inner.cas_update(key, expected, record);
        let name = "faulty.cas_update";
        self.faults.around(Op::CasUpdate, name, call).await
    }

    async fn delete(&self, key: &Key, expected: Version) -> Result<Cas> {
        let call = self.inner.delete(key, expected);
        let name = "faulty.delete";
        self.faults.around(Op::IndexDelete, name, call).await
    }

    async fn touch_ttl(
        &self,
        key: &Key,
        expected: Version,
        retain_until: Timestamp,
    ) -> Result<Cas> {
        let call = self.inner.touch_ttl(key, expected, retain_until);
        self.faults
            .around(Op::TouchTtl, "faulty.touch_ttl", call)
            .await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<IndexPage> {
        let call = self.inner.scan(after, limit);
        self.faults.around(Op::Scan, "faulty.scan", call).await
    }

    fn capabilities(&self) -> IndexCapabilities {
        self.inner.capabilities()
    }
}
