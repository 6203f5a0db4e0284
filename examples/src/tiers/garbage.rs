//! What nobody can reach any more is removed, now and then.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use terrace::backend::{BlobStore, IndexStore};
use terrace::durable::{DurableTier, GcOptions};
use terrace::{Result, Runtime};

/// An index that forgets records which are past their time.
pub trait Forgets {
    /// Removes at most `most` of them, and says how many. The default leaves it to the server.
    fn forget(&self, most: u32) -> impl Future<Output = Result<u64>> + Send {
        let _ = most;
        async { Ok(0) }
    }
}

/// Removes bodies nobody can reach any more, and records that are past their time. Ends with the runtime.
pub(super) async fn collect<B: BlobStore, I: IndexStore + Forgets>(
    durable: DurableTier<B, Arc<I>>,
    index: Arc<I>,
    runtime: Arc<dyn Runtime>,
    every: Duration,
) {
    let options = GcOptions {
        dry_run: false,
        ..GcOptions::default()
    };
    loop {
        runtime.sleep(every).await;
        match forget(&*index, &*runtime).await {
            Ok(records) => tracing::debug!(records, "forgot what is past its time"),
            Err(error) => {
                tracing::warn!(%error, "cannot forget what is past its time: trying again later");
            }
        }
        match durable.collect(&options).await {
            Ok(report) if report.deleted > 0 => tracing::info!(?report, "collected garbage"),
            Ok(report) => tracing::debug!(?report, "there was no garbage to be collected"),
            Err(error) => tracing::warn!(%error, "cannot collect garbage: trying again later"),
        }
    }
}

/// In small steps, for other writes wait meanwhile, and not for ever.
async fn forget(index: &impl Forgets, runtime: &dyn Runtime) -> Result<u64> {
    const STEP: u32 = 500;
    const STEPS: usize = 2000;
    let mut records = 0;
    for _ in 0..STEPS {
        let removed = index.forget(STEP).await?;
        records += removed;
        if removed == 0 {
            break;
        }
        runtime.sleep(Duration::from_millis(10)).await;
    }
    Ok(records)
}
