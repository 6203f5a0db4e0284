use std::ops::ControlFlow;

use terrace_core::{
    Applied, Cas, Error, ErrorKind, IndexStore, Key, Manifest, Result, Timestamp, Version,
};

use crate::record::encode;
use crate::shared::Shared;
use crate::slot::Slot;

/// What a slot is to become.
pub(crate) struct Edit<T> {
    pub(crate) manifest: Manifest,
    /// At least until then; see [`Shared::retention`].
    pub(crate) retain_until: Timestamp,
    /// What to answer when it is done.
    pub(crate) answer: T,
}

impl<B: Send + Sync, I: IndexStore> Shared<B, I> {
    /// Changes the slot of `key` in one step, however often others change it meanwhile, up to
    /// `max_attempts` times.
    ///
    /// `change` sees what is there and says what it is to become, or breaks off with an answer; it runs again
    /// for each attempt. Whether an attempt that was refused, or not answered, has taken effect nevertheless
    /// is seen in the read of the next one: a version is a nonce, so finding ours means that we did it.
    ///
    /// - Cancellation: a dropped future has changed the slot as a whole or not at all.
    /// - Errors: `Contended` after the last attempt. [`Applied::Unknown`] if the slot may have been
    ///   changed.
    pub(crate) async fn edit<T: Copy + Send>(
        &self,
        op: &'static str,
        key: &Key,
        mut change: impl FnMut(&Slot) -> ControlFlow<T, Edit<T>> + Send,
    ) -> Result<T> {
        let mut attempted: Option<(Version, T)> = None;
        let mut lost: Option<Error> = None;
        for _ in 0..self.config.max_attempts {
            let slot = match self.read(key).await {
                Ok(slot) => slot,
                Err(cause) if lost.is_some() => return Err(cause.maybe_applied()),
                Err(cause) => return Err(cause),
            };
            if let Some((version, answer)) = attempted
                && slot.version() == Some(version)
            {
                return Ok(answer);
            }
            let edit = match change(&slot) {
                ControlFlow::Break(answer) => return Ok(answer),
                ControlFlow::Continue(edit) => edit,
            };
            let retain_until = self.retention(edit.retain_until);
            let record = encode(&edit.manifest, self.new_version(), retain_until)?;
            match self.swap(key, slot.version(), &record).await {
                Ok(Cas::Applied) => return Ok(edit.answer),
                Ok(Cas::Conflict) => {}
                Err(cause) if cause.applied() == Applied::Unknown => lost = Some(cause),
                Err(cause) => return Err(cause),
            }
            attempted = Some((record.version, edit.answer));
        }
        Err(lost.unwrap_or_else(|| {
            let attempts = self.config.max_attempts;
            let message = format!("others changed {key} {attempts} times meanwhile; try again");
            Error::new(ErrorKind::Contended, op, message)
        }))
    }
}
