use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::stream::{FuturesUnordered, StreamExt as _};
use object_store::MultipartUpload;
use object_store::path::Path;
use terrace_core::{Error, ErrorKind, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::error::{from_store, of_a_change};
use crate::store::Shared;

/// An upload in parts, driven by a task of its own.
///
/// A task, because nobody polls a fill while it waits for its source: parts would stall, and their
/// requests time out although they were answered. Dropping this without [`finish`](Self::finish) makes the
/// task abort the upload.
pub(crate) struct Upload {
    steps: mpsc::Sender<Step>,
    /// A permit per part that is in memory: in the channel, or being uploaded.
    slots: Arc<Semaphore>,
    outcome: oneshot::Receiver<Result<()>>,
}

enum Step {
    Part(Bytes, OwnedSemaphorePermit),
    Finish,
}

impl Upload {
    pub(crate) fn start(shared: &Arc<Shared>, path: Path) -> Self {
        let parallel = shared.parallel_parts;
        // One place more than there are permits: for `Finish`.
        let (steps, receiver) = mpsc::channel(parallel.saturating_add(1));
        let (sender, outcome) = oneshot::channel();
        let task = run(Arc::clone(shared), path, receiver, sender);
        shared.runtime.spawn(task.boxed());
        Self {
            steps,
            slots: Arc::new(Semaphore::new(parallel)),
            outcome,
        }
    }

    /// Uploads a part, as soon as fewer than the allowed number are under way. After an error there must be no
    /// further call.
    pub(crate) async fn part(&mut self, bytes: Bytes) -> Result<()> {
        let Ok(permit) = Arc::clone(&self.slots).acquire_owned().await else {
            return Err(abandoned());
        };
        match self.steps.send(Step::Part(bytes, permit)).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.failure().await),
        }
    }

    /// Makes the blob visible.
    pub(crate) async fn finish(mut self) -> Result<()> {
        if self.steps.send(Step::Finish).await.is_err() {
            return Err(self.failure().await);
        }
        match self.outcome.await {
            Ok(outcome) => outcome,
            Err(_) => Err(abandoned().maybe_applied()),
        }
    }

    /// Why the task does not listen any more.
    async fn failure(&mut self) -> Error {
        match (&mut self.outcome).await {
            Ok(Err(error)) => error,
            Ok(Ok(())) | Err(_) => abandoned(),
        }
    }
}

fn abandoned() -> Error {
    let message = "the upload was abandoned: the runtime is shutting down";
    Error::new(ErrorKind::Unavailable, "object_store.write", message)
}

async fn run(
    shared: Arc<Shared>,
    path: Path,
    mut steps: mpsc::Receiver<Step>,
    outcome: oneshot::Sender<Result<()>>,
) {
    let mut upload = match shared.begin(&path).await {
        Ok(upload) => upload,
        Err(error) => {
            // Nobody listens if the writer was dropped.
            let _ = outcome.send(Err(error));
            return;
        }
    };
    let result = match feed(&mut *upload, &mut steps).await {
        Fed::Whole => match upload.complete().await {
            Ok(_) => Ok(()),
            Err(error) => Err(of_a_change(from_store("object_store.finish", &path, error))),
        },
        Fed::Failed(error) => Err(from_store("object_store.write", &path, error)),
        Fed::Dropped => Err(abandoned()),
    };
    // Closed before the answer is given, so that the writer cannot miss it.
    drop(steps);
    let failed = result.is_err();
    let _ = outcome.send(result);
    if failed {
        abort(&shared, &path, upload).await;
    }
}

/// How the feeding of an upload ended.
enum Fed {
    Whole,
    Dropped,
    Failed(object_store::Error),
}

async fn feed(upload: &mut dyn MultipartUpload, steps: &mut mpsc::Receiver<Step>) -> Fed {
    let mut parts = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(done) = parts.next(), if !parts.is_empty() => {
                if let Err(error) = done {
                    return Fed::Failed(error);
                }
            }
            step = steps.recv() => match step {
                None => return Fed::Dropped,
                Some(Step::Part(bytes, permit)) => {
                    let part = upload.put_part(bytes.into());
                    parts.push(part.map(move |done| {
                        drop(permit);
                        done
                    }));
                }
                Some(Step::Finish) => break,
            }
        }
    }
    while let Some(done) = parts.next().await {
        if let Err(error) = done {
            return Fed::Failed(error);
        }
    }
    Fed::Whole
}

/// How often the abort of an upload is tried, over two minutes or so.
const ABORTS: u32 = 8;
/// Between the first try and the second; doubled for each further one, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// Uploads that wait for another try, of one store: more are left to the next sweep.
pub(crate) const MAX_LINGERING: usize = 64;

async fn abort(shared: &Shared, path: &Path, mut upload: Box<dyn MultipartUpload>) {
    let Err(error) = upload.abort().await else {
        return;
    };
    if let Some(local) = &shared.local {
        // `LocalFileSystem` forgets its staging file before it tries to complete, and leaves it if that fails.
        local.remove_staging(path).await;
        return;
    }
    if let Err(error) = linger(shared, upload, error).await {
        tracing::debug!(%path, %error, "an unfinished upload stays, until a sweep, or the store's lifecycle rule, removes it");
    }
}

/// Tries to abort again while the store is in trouble, which is when uploads fail.
async fn linger(
    shared: &Shared,
    mut upload: Box<dyn MultipartUpload>,
    mut error: object_store::Error,
) -> Result<(), object_store::Error> {
    let Ok(_permit) = shared.lingering.try_acquire() else {
        return Err(error);
    };
    let mut pause = FIRST_PAUSE;
    for _ in 1..ABORTS {
        match error {
            // Aborted after all; or completed.
            object_store::Error::NotFound { .. } => return Ok(()),
            object_store::Error::Generic { .. } => {}
            other => return Err(other),
        }
        shared.runtime.sleep(pause).await;
        pause = (2 * pause).min(LONGEST_PAUSE);
        match upload.abort().await {
            Ok(()) => return Ok(()),
            Err(again) => error = again,
        }
    }
    Err(error)
}
