use std::collections::HashMap;
use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use terrace_core::{Error, ErrorKind, Result};
use tokio::sync::watch;

pub use rule::Rule;

mod blob;
mod index;
mod read;
mod rule;
mod tier;

/// A tier, blob store or index store that fails as it is told to, and counts its calls.
///
/// Without rules it does what `inner` does. It is a [`Tier`](terrace_core::Tier), a
/// [`BlobStore`](terrace_core::BlobStore) or an [`IndexStore`](terrace_core::IndexStore) if `inner` is.
///
/// ```
/// use terrace_core::ErrorKind;
/// use terrace_testkit::{Faults, Faulty, Op};
///
/// let faults = Faults::new();
/// let tier = Faulty::new("a tier", faults.clone());
///
/// faults.on(Op::Lookup).nth(3).fail(ErrorKind::Unavailable);
/// faults.on(Op::Commit).lose_answer(ErrorKind::Timeout);
/// # drop(tier);
/// ```
#[derive(Debug)]
pub struct Faulty<T> {
    inner: T,
    faults: Faults,
}

impl<T> Faulty<T> {
    /// `inner` under the rules of `faults`, which others may share.
    pub fn new(inner: T, faults: Faults) -> Self {
        Self { inner, faults }
    }

    /// What is behind the faults: to look at the truth.
    pub fn inner(&self) -> &T {
        &self.inner
    }

    /// The rules.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }
}

/// An operation that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Op {
    /// [`Tier::lookup`](terrace_core::Tier::lookup); its read faults are those of the hit's body.
    Lookup,
    /// [`Tier::fence`](terrace_core::Tier::fence)
    Fence,
    /// [`Tier::admit`](terrace_core::Tier::admit)
    Admit,
    /// [`Fill::write`](terrace_core::Fill::write)
    FillWrite,
    /// [`Fill::commit`](terrace_core::Fill::commit)
    Commit,
    /// [`Tier::purge`](terrace_core::Tier::purge)
    Purge,
    /// [`Tier::expire`](terrace_core::Tier::expire)
    Expire,
    /// [`Tier::update_meta`](terrace_core::Tier::update_meta)
    UpdateMeta,
    /// [`BlobStore::get`](terrace_core::BlobStore::get); its read faults are those of the stream.
    BlobGet,
    /// [`BlobStore::head`](terrace_core::BlobStore::head)
    BlobHead,
    /// [`BlobStore::put`](terrace_core::BlobStore::put)
    BlobPut,
    /// [`BlobWrite::write`](terrace_core::BlobWrite::write)
    BlobWrite,
    /// [`BlobWrite::finish`](terrace_core::BlobWrite::finish)
    BlobFinish,
    /// [`BlobStore::delete`](terrace_core::BlobStore::delete)
    BlobDelete,
    /// [`BlobStore::list`](terrace_core::BlobStore::list)
    BlobList,
    /// [`IndexStore::get`](terrace_core::IndexStore::get); its read faults are those of the record's bytes.
    IndexGet,
    /// [`IndexStore::put_new`](terrace_core::IndexStore::put_new)
    PutNew,
    /// [`IndexStore::cas_update`](terrace_core::IndexStore::cas_update)
    CasUpdate,
    /// [`IndexStore::delete`](terrace_core::IndexStore::delete)
    IndexDelete,
    /// [`IndexStore::touch_ttl`](terrace_core::IndexStore::touch_ttl)
    TouchTtl,
    /// [`IndexStore::scan`](terrace_core::IndexStore::scan)
    Scan,
}

/// The rules by which a [`Faulty`] fails, shared by all clones. Rules are tried in the order they were made; the first
/// that is meant for a call decides.
#[derive(Clone)]
pub struct Faults(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Counts releases: who hangs waits for the next one.
    released: watch::Sender<u64>,
    hanging: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    calls: HashMap<Op, u64>,
    rules: Vec<Active>,
}

/// A rule with the calls it is meant for, numbered from one since the beginning.
#[derive(Debug)]
struct Active {
    op: Op,
    first: u64,
    last: u64,
    effect: Effect,
}

/// What happens to a call.
#[derive(Debug, Clone, Copy)]
enum Effect {
    /// Nothing is done, and the caller knows.
    Fail(ErrorKind),
    /// Nothing is done, and the caller does not know.
    LoseRequest(ErrorKind),
    /// It is done, and the caller does not know.
    LoseAnswer(ErrorKind),
    /// Waits for a release, then does it.
    HangBefore,
    /// Does it, then waits for a release.
    HangAfter,
    /// Waits, then does it.
    Delay(Duration),
    /// Does it; what is read is not what was written.
    Read(ReadFault),
}

/// What happens to bytes that are read.
#[derive(Debug, Clone, Copy)]
enum ReadFault {
    /// The lowest bit of the byte at this offset is flipped.
    Flip(u64),
    /// The bytes end before this offset, as if there were no more.
    End(u64),
    /// An error comes instead of the byte at this offset.
    Die(u64, ErrorKind),
    /// Waits for a release before the byte at this offset.
    Hang(u64),
}

impl Faults {
    /// No rules.
    pub fn new() -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            released: watch::Sender::new(0),
            hanging: watch::Sender::new(0),
        }))
    }

    /// Begins a rule for `op`: say which calls, if not all from now on, then what happens to them.
    pub fn on(&self, op: Op) -> Rule<'_> {
        Rule::new(self, op)
    }

    /// How many calls of `op` have begun.
    pub fn calls(&self, op: Op) -> u64 {
        self.0.state.lock().calls.get(&op).copied().unwrap_or(0)
    }

    /// Forgets all rules and lets go on what hangs: the faults stop. Counts stay.
    pub fn clear(&self) {
        self.0.state.lock().rules.clear();
        self.release();
    }

    /// Lets go on what hangs. Calls to come still obey the rules.
    pub fn release(&self) {
        self.0.released.send_modify(|releases| *releases += 1);
    }

    /// How many calls hang now.
    pub fn hanging(&self) -> usize {
        *self.0.hanging.borrow()
    }

    /// Waits until at least `calls` calls hang.
    pub async fn until_hanging(&self, calls: usize) {
        let mut hanging = self.0.hanging.subscribe();
        // The sender lives as long as `self`, so this cannot fail.
        let _ = hanging.wait_for(|now| *now >= calls).await;
    }

    fn add(&self, rule: Active) {
        self.0.state.lock().rules.push(rule);
    }

    /// Counts a call, and lets it fail or hang before its effect.
    async fn begin(&self, op: Op, name: &'static str) -> Result<Call> {
        let effect = {
            let mut state = self.0.state.lock();
            let count = state.calls.entry(op).or_default();
            *count += 1;
            let call = *count;
            let meant = |rule: &&Active| rule.op == op && (rule.first..=rule.last).contains(&call);
            state.rules.iter().find(meant).map(|rule| rule.effect)
        };
        match effect {
            Some(Effect::Fail(kind)) => return Err(injected(kind, name)),
            Some(Effect::LoseRequest(kind)) => return Err(injected(kind, name).maybe_applied()),
            Some(Effect::HangBefore) => self.hang().await,
            Some(Effect::Delay(duration)) => tokio::time::sleep(duration).await,
            Some(Effect::LoseAnswer(_) | Effect::HangAfter | Effect::Read(_)) | None => {}
        }
        let faults = self.clone();
        Ok(Call {
            name,
            effect,
            faults,
        })
    }

    /// Runs `call` under the rules of `op`.
    async fn around<T>(
        &self,
        op: Op,
        name: &'static str,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let begun = self.begin(op, name).await?;
        let answer = call.await;
        begun.end(answer).await
    }

    async fn hang(&self) {
        let mut released = self.0.released.subscribe();
        // Seen now, so that a release which comes between this and the wait is not missed.
        let seen = *released.borrow_and_update();
        let _hanging = Hanging::new(self);
        if released.wait_for(|now| *now != seen).await.is_err() {
            // Cannot be: `self` holds the sender.
            pending::<()>().await;
        }
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state.lock();
        f.debug_struct("Faults")
            .field("rules", &state.rules)
            .field("calls", &state.calls)
            .field("hanging", &self.hanging())
            .finish()
    }
}

/// A call whose effect may take place.
struct Call {
    name: &'static str,
    effect: Option<Effect>,
    faults: Faults,
}

impl Call {
    /// What becomes of the answer.
    async fn end<T>(self, answer: Result<T>) -> Result<T> {
        match self.effect {
            Some(Effect::LoseAnswer(kind)) => {
                // Whatever it was, nobody will know.
                drop(answer);
                Err(injected(kind, self.name).maybe_applied())
            }
            Some(Effect::HangAfter) => {
                self.faults.hang().await;
                answer
            }
            _ => answer,
        }
    }

    fn read_fault(&self) -> Option<ReadFault> {
        match self.effect {
            Some(Effect::Read(fault)) => Some(fault),
            _ => None,
        }
    }
}

/// Counted among those that hang until it is dropped: also when its call is.
struct Hanging<'a>(&'a Faults);

impl<'a> Hanging<'a> {
    fn new(faults: &'a Faults) -> Self {
        faults.0.hanging.send_modify(|hanging| *hanging += 1);
        Self(faults)
    }
}

impl Drop for Hanging<'_> {
    fn drop(&mut self) {
        self.0.0.hanging.send_modify(|hanging| *hanging -= 1);
    }
}

fn injected(kind: ErrorKind, name: &'static str) -> Error {
    Error::new(kind, name, "an injected fault")
}
