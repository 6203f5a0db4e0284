use std::sync::Arc;

use terrace_core::{Error, ErrorKind, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The bytes of one fill, paid for out of the budget of all.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    max: usize,
    budget: Arc<Semaphore>,
    paid: Option<OwnedSemaphorePermit>,
}

impl Buffer {
    /// A buffer of up to `max` bytes. Errors with `Exhausted` if the announced length is more.
    pub(super) fn new(announced: Option<u64>, max: usize, budget: Arc<Semaphore>) -> Result<Self> {
        if announced.is_some_and(|announced| announced > max as u64) {
            return Err(too_large(max));
        }
        Ok(Self {
            bytes: Vec::new(),
            max,
            budget,
            paid: None,
        })
    }

    /// Copies `chunk`, which may be a small part of a large buffer that it would keep alive.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<()> {
        if chunk.len() > self.max - self.bytes.len() {
            return Err(too_large(self.max));
        }
        let price = u32::try_from(chunk.len()).map_err(|_| too_large(self.max))?;
        let paid = Arc::clone(&self.budget)
            .try_acquire_many_owned(price)
            .map_err(|_| {
                let message =
                    "the fills under way hold all the memory they may; see with_filling_bytes";
                Error::new(ErrorKind::Exhausted, "storage_tier.fill", message)
            })?;
        match &mut self.paid {
            Some(before) => before.merge(paid),
            none => *none = Some(paid),
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, and what is to be kept as long as they are.
    pub(super) fn into_parts(self) -> (Vec<u8>, Option<OwnedSemaphorePermit>) {
        (self.bytes, self.paid)
    }
}

fn too_large(max: usize) -> Error {
    let message = format!("a body of more than {max} bytes; see with_max_object_bytes");
    Error::new(ErrorKind::Exhausted, "storage_tier.fill", message)
}
