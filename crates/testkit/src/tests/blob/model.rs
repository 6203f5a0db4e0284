use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use parking_lot::Mutex;
use terrace_core::{
    BlobInfo, BlobName, BlobRead, BlobStore, BlobWrite, Body, Error, ErrorKind, Result, Timestamp,
};
use tokio::task::yield_now;

use super::Flaw;
use crate::sample::{blob_name, generation};

/// A map that is a blob store, and makes one mistake.
pub(crate) struct ModelBlobs {
    flaw: Flaw,
    state: Shared,
}

type Shared = Arc<Mutex<State>>;

#[derive(Default)]
struct State {
    blobs: BTreeMap<BlobName, (Bytes, Timestamp)>,
    puts: u64,
    /// Connections that are in use; who is dropped keeps his.
    used: usize,
    /// What all writers write to, if they share it.
    buffer: Vec<u8>,
    /// Where all lists are, if they share it.
    cursor: usize,
}

impl State {
    fn publish(&mut self, flaw: Flaw, name: BlobName, bytes: Bytes) {
        self.puts += 1;
        let millis = match flaw {
            Flaw::TimesRunBackwards => 1000 - self.puts,
            _ => 1000 + self.puts,
        };
        let modified = Timestamp::from_millis(millis);
        self.blobs.insert(name, (bytes, modified));
    }

    /// Takes one of a flawed store's few connections.
    fn connect(&mut self, few: bool, most: usize) -> Result<()> {
        if few && self.used >= most {
            return Err(error(ErrorKind::Exhausted));
        }
        self.used += 1;
        Ok(())
    }
}

impl ModelBlobs {
    pub(crate) fn new(flaw: Flaw) -> Self {
        let state = Shared::default();
        Self { flaw, state }
    }

    fn slot(&self, name: &BlobName) -> BlobName {
        let mut slot = *name;
        match self.flaw {
            Flaw::GenerationsShareAName => slot.generation = generation(0),
            Flaw::VariantsShareAName => slot.key = slot.key.group(),
            _ => {}
        }
        slot
    }
}

fn error(kind: ErrorKind) -> Error {
    Error::new(kind, "model", "refused")
}

fn slice(bytes: &Bytes, range: Range<u64>) -> Bytes {
    let at = |n: u64| usize::try_from(n).unwrap().min(bytes.len());
    bytes.slice(at(range.start).min(at(range.end))..at(range.end))
}

#[async_trait]
impl BlobStore for ModelBlobs {
    async fn get(&self, name: &BlobName, mut range: Range<u64>) -> Result<BlobRead> {
        const PIECE: u64 = 100_000;
        let (state, flaw) = (Arc::clone(&self.state), self.flaw);
        let found = state.lock().blobs.get(&self.slot(name)).cloned();
        let whole = match found {
            None if flaw == Flaw::ReadsOfAbsentAreEmpty => return Ok(stream::empty().boxed()),
            found => found.ok_or_else(|| error(ErrorKind::NotFound))?.0,
        };
        if flaw != Flaw::RangesAreClamped {
            Body::check_range(&range, whole.len() as u64)?;
        }
        match flaw {
            Flaw::RangesAreInclusive => range.end += 1,
            Flaw::RangesStartAtZero => range.start = 0,
            Flaw::ReadsEndEarly => range.end = range.end.saturating_sub(1),
            Flaw::EmptyRangesAreInvalid if range.is_empty() => {
                return Err(error(ErrorKind::Invalid));
            }
            _ => {}
        }
        state.lock().connect(flaw == Flaw::OneConnection, 1)?;
        let few = flaw == Flaw::ReadersAreLeaked;
        if few && state.lock().used > 100 {
            return Err(error(ErrorKind::Exhausted));
        }
        let end = range.end.min(whole.len() as u64);
        let pieces = stream::unfold(range.start, move |at| {
            let (state, whole) = (Arc::clone(&state), whole.clone());
            async move {
                yield_now().await;
                let mut state = state.lock();
                if at >= end {
                    state.used -= 1;
                    return None;
                }
                // Whoever opens by name again reads what is there by then.
                let other = state.blobs.values().next().map(|(bytes, _)| bytes.clone());
                let source = match flaw {
                    Flaw::ReadsFollowTheName => other.unwrap_or(whole),
                    _ => whole,
                };
                let next = (at + PIECE).min(end);
                Some((Ok(slice(&source, at..next)), next))
            }
        });
        Ok(pieces.boxed())
    }

    async fn head(&self, name: &BlobName) -> Result<Option<BlobInfo>> {
        self.state
            .lock()
            .connect(self.flaw == Flaw::OneConnection, 1)?;
        yield_now().await;
        let mut state = self.state.lock();
        state.used -= 1;
        let found = state.blobs.get(&self.slot(name));
        Ok(found.map(|(bytes, modified)| BlobInfo {
            name: *name,
            len: bytes.len() as u64 + u64::from(self.flaw == Flaw::HeadLiesOnLength),
            modified: *modified,
        }))
    }

    async fn put(&self, name: &BlobName) -> Result<Box<dyn BlobWrite>> {
        let slot = self.slot(name);
        {
            let mut state = self.state.lock();
            if self.flaw == Flaw::WritersAreLeaked {
                state.connect(true, 150)?;
            }
            if matches!(self.flaw, Flaw::VisibleFromTheStart | Flaw::PutCreates) {
                state.publish(self.flaw, slot, Bytes::new());
            }
        }
        yield_now().await;
        if self.flaw == Flaw::PutCreates {
            self.state.lock().blobs.remove(&slot);
        }
        Ok(Box::new(ModelWrite {
            name: slot,
            flaw: self.flaw,
            state: Arc::clone(&self.state),
            written: Vec::new(),
            ended: false,
        }))
    }

    async fn delete(&self, name: &BlobName) -> Result<()> {
        yield_now().await;
        let blobs = &mut self.state.lock().blobs;
        match self.flaw {
            Flaw::DeleteForgets => return Ok(()),
            Flaw::DeleteRemovesTheKey => blobs.retain(|other, _| other.key != name.key),
            _ => {}
        }
        let was_there = blobs.remove(&self.slot(name)).is_some();
        if !was_there && self.flaw == Flaw::DeleteOfAbsentFails {
            return Err(error(ErrorKind::NotFound));
        }
        Ok(())
    }

    fn list(&self) -> BoxStream<'_, Result<BlobInfo>> {
        let (flaw, mut state) = (self.flaw, self.state.lock());
        if flaw == Flaw::ListsAreLeaked && state.connect(true, 100).is_err() {
            return stream::iter([Err(error(ErrorKind::Exhausted))]).boxed();
        }
        state.cursor = 0;
        if matches!(flaw, Flaw::ListByOffset | Flaw::ListsShareACursor) {
            return stream::unfold(0, move |at| self.nth(at)).boxed();
        }
        let mut infos: Vec<_> = state.blobs.iter().map(|found| info(flaw, found)).collect();
        match flaw {
            Flaw::ListSkipsEmpty => infos.retain(|info| info.len > 0),
            Flaw::ListEndsAt250 => infos.truncate(250),
            Flaw::ListSeesTwice => infos.extend(infos.clone()),
            Flaw::ListSeesGhosts => infos.push(BlobInfo {
                name: blob_name(0, 0),
                len: 0,
                modified: Timestamp::EPOCH,
            }),
            _ => {}
        }
        stream::iter(infos.into_iter().map(Ok)).boxed()
    }
}

impl ModelBlobs {
    /// What a list finds that only remembers how far it came.
    async fn nth(&self, at: usize) -> Option<(Result<BlobInfo>, usize)> {
        yield_now().await;
        let mut state = self.state.lock();
        let at = match self.flaw {
            Flaw::ListsShareACursor => state.cursor,
            _ => at,
        };
        state.cursor = at + 1;
        let found = state.blobs.iter().nth(at)?;
        Some((Ok(info(self.flaw, found)), at + 1))
    }
}

fn info(flaw: Flaw, (name, (bytes, modified)): (&BlobName, &(Bytes, Timestamp))) -> BlobInfo {
    BlobInfo {
        name: *name,
        len: bytes.len() as u64 + u64::from(flaw == Flaw::ListLiesOnLength),
        modified: *modified,
    }
}

struct ModelWrite {
    name: BlobName,
    flaw: Flaw,
    state: Shared,
    written: Vec<u8>,
    ended: bool,
}

impl ModelWrite {
    fn publish(&self, bytes: Vec<u8>) {
        let mut state = self.state.lock();
        state.publish(self.flaw, self.name, bytes.into());
    }
}

#[async_trait]
impl BlobWrite for ModelWrite {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        const PART: usize = 5 * 1024 * 1024;
        self.ended |= self.flaw == Flaw::EmptyPieceEnds && bytes.is_empty();
        let small = self.flaw == Flaw::SmallPiecesAreLost && bytes.len() < 2;
        if self.ended || small {
            return Ok(());
        }
        if self.flaw == Flaw::WritersShareABuffer {
            let buffer = &mut self.state.lock().buffer;
            buffer.extend_from_slice(&bytes);
            self.written.clone_from(buffer);
        } else {
            self.written.extend_from_slice(&bytes);
        }
        yield_now().await;
        let parts = self.written.len() / PART;
        match self.flaw {
            Flaw::LosesPartsAfterTheFirst => self.written.truncate(PART),
            Flaw::LosesTheLastPart if parts > 0 => self.written.truncate(parts * PART),
            Flaw::VisibleWhileWritten => self.publish(self.written.clone()),
            _ => {}
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<()> {
        yield_now().await;
        let whole = std::mem::take(&mut self.written);
        if self.flaw == Flaw::EmptyIsAbsent && whole.is_empty() {
            return Ok(());
        }
        if self.flaw == Flaw::FinishInTwoSteps {
            self.publish(whole[..whole.len() / 2].to_vec());
            yield_now().await;
        }
        self.publish(whole);
        if self.flaw == Flaw::WritersAreLeaked {
            self.state.lock().used -= 1;
        }
        yield_now().await;
        Ok(())
    }
}

impl Drop for ModelWrite {
    fn drop(&mut self) {
        if self.flaw == Flaw::DropPublishes && !self.written.is_empty() {
            let written = std::mem::take(&mut self.written);
            self.publish(written);
        }
    }
}
