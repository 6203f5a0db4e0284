use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use terrace_core::{
    ChecksumBuilder, Commit, Committed, Entry, Error, ErrorKind, Fence, Fill, Key, Result, Target,
};

use super::Shared;
use super::budget::Share;
use super::object::{self, Object};

pub(super) fn begin(
    tier: &Arc<Shared>,
    key: Key,
    entry: Entry,
    fence: Fence,
) -> Result<Box<dyn Fill>> {
    const OP: &str = "memory.admit";
    if !matches!(fence.words(), Some([_, 0, 0])) {
        let message = "the fence is another tier's; hand back the one this tier gave out";
        return Err(Error::new(ErrorKind::Invalid, OP, message));
    }
    let fill = MemoryFill {
        share: Share::new(&tier.filling),
        tier: Arc::clone(tier),
        key,
        fence,
        body: Vec::new(),
        checksums: ChecksumBuilder::new(),
        entry,
    };
    fill.check_weight(OP, fill.entry.len.unwrap_or(0))?;
    Ok(Box::new(fill))
}

/// A body being gathered. Its capacity is what it holds of the tier's budget.
struct MemoryFill {
    tier: Arc<Shared>,
    key: Key,
    entry: Entry,
    fence: Fence,
    body: Vec<u8>,
    checksums: ChecksumBuilder,
    share: Share,
}

impl MemoryFill {
    fn check_weight(&self, op: &'static str, len: u64) -> Result<()> {
        let (weight, max) = (
            object::weight(&self.entry.meta, len),
            self.tier.max_object_bytes,
        );
        if weight <= max {
            return Ok(());
        }
        let message = format!("the object weighs {weight} bytes or more; the tier takes {max}");
        Err(Error::new(ErrorKind::Exhausted, op, message))
    }

    /// Makes room for a body of `len` bytes: the announced length at once, or else twice the present one.
    fn make_room(&mut self, len: usize) -> Result<()> {
        if len <= self.body.capacity() {
            return Ok(());
        }
        let announced = usize::try_from(self.entry.len.unwrap_or(0)).unwrap_or(usize::MAX);
        let capacity = len.max(announced).max(2 * self.body.capacity());
        self.share.grow_to(capacity as u64)?;
        self.body.reserve_exact(capacity - self.body.len());
        Ok(())
    }
}

#[async_trait]
impl Fill for MemoryFill {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        let len = self.body.len() + chunk.len();
        self.check_weight("memory.write", len as u64)?;
        self.make_room(len)?;
        self.checksums.update(&chunk);
        self.body.extend_from_slice(&chunk);
        Ok(())
    }

    async fn commit(self: Box<Self>, commit: Commit) -> Result<Committed> {
        let fill = *self;
        commit.verify(&fill.checksums.finish())?;
        // Of exactly its size: spare capacity would not be in its weight.
        let body = Bytes::from(fill.body.into_boxed_slice());
        let Entry {
            generation,
            meta,
            replaces,
            ..
        } = fill.entry;

        let mut object = Object::new(generation, meta, commit.checksums, body);

        let slot = fill.tier.epochs.lock(fill.key.primary());
        let current = fill.tier.current(&Target::Key(fill.key));
        if !slot.admits(&fill.fence) || !replaces.permits(current.map(|it| it.generation)) {
            return Ok(Committed::Fenced);
        }
        object.born = slot.born();
        fill.tier.cache.insert(fill.key, Arc::new(object));
        Ok(Committed::Published)
    }
}
