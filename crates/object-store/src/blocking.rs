use terrace_core::{Error, ErrorKind, Result};
use tokio::runtime::Handle;

/// Runs `work`, which blocks, where it may: on tokio's pool for that; in line if there is no tokio to disturb.
pub(crate) async fn blocking<T: Send + 'static>(
    op: &'static str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let Ok(handle) = Handle::try_current() else {
        return work();
    };
    match handle.spawn_blocking(work).await {
        Ok(result) => result,
        Err(join) => {
            let (kind, message) = if join.is_panic() {
                (ErrorKind::Internal, "it panicked")
            } else {
                (ErrorKind::Unavailable, "the runtime is shutting down")
            };
            Err(Error::new(kind, op, message).with_source(join))
        }
    }
}
