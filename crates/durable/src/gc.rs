//! Removes blobs that nobody can reach.
//!
//! # Why it deletes nothing that is, or will be, reachable (promise P8)
//!
//! A blob is deleted if the store dates it before a cut-off, `gc_grace` before the collection began, and the
//! records of its key, read *after* the blob was listed, neither hold a live object nor a reservation
//! of its generation. Say a blob is deleted that a manifest names later. Only the fill that wrote it can bring its
//! generation into a manifest; all other writers copy what they found, under the version they
//! found it. So the fill's commit came after our read.
//!
//! - If the fill had not reserved, its fence was older than the blob, and it commits only within half of `gc_grace`
//!   from its fence. By our read, a whole `gc_grace` had passed since the blob's date.
//! - If it had reserved, it commits only before its reservation's end, in one step from the reservation to the object.
//!   Our read found the reservation gone, or `gc_grace` past its end.
//!
//! Both leave half of `gc_grace` or more for clocks that disagree and calls that are slow. A blob whose store dates it
//! by the beginning of its upload, as S3 does for multipart uploads, is covered by the same two cases.
//!
//! An object that its group's purge has killed stays dead, because nonces never repeat, so it is not
//! reachable either. The two records of a variant are read one after the other; they can disagree about an object
//! only if its group was made or purged in between, and then its fence, and so its blob, is younger than the
//! cut-off. And a record that cannot be read keeps its blob.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use metrics::{Unit, counter, describe_counter};
use terrace_core::{BlobInfo, BlobStore, Error, ErrorKind, IndexStore, Result, Timestamp};
use tracing::Instrument as _;

use crate::tier::DurableTier;

/// What a collection may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcOptions {
    /// Only counts. Default: true.
    pub dry_run: bool,
    /// Blobs and reservations younger than this are left alone; at least, and by default, the configured
    /// [`gc_grace`](crate::DurableConfig::gc_grace).
    pub grace: Option<Duration>,
    /// Ends after so many deletions. Default: 10,000.
    pub max_deletes: u64,
    /// How many records are read at once; at least one. Default: 16.
    pub concurrency: usize,
}

impl Default for GcOptions {
    fn default() -> Self {
        Self {
            dry_run: true,
            grace: None,
            max_deletes: 10_000,
            concurrency: 16,
        }
    }
}

/// What a collection found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GcReport {
    /// Blobs listed.
    pub scanned: u64,
    /// Their bytes.
    pub scanned_bytes: u64,
    /// Blobs nobody can reach.
    pub orphans: u64,
    /// Their bytes.
    pub orphan_bytes: u64,
    /// Orphans deleted; none in a dry run.
    pub deleted: u64,
    /// Their bytes.
    pub deleted_bytes: u64,
    /// Blobs kept because a record of their key is damaged, or of a newer version.
    pub undecidable: u64,
    /// `max_deletes` was reached: there may be more.
    pub truncated: bool,
}

enum Verdict {
    Keep,
    Undecidable,
    Orphan,
}

impl GcReport {
    /// Blobs that are left, and their bytes; `None` if not all were looked at.
    fn left(&self) -> Option<(u64, u64)> {
        let left = (
            self.scanned - self.deleted,
            self.scanned_bytes - self.deleted_bytes,
        );
        (!self.truncated).then_some(left)
    }
}

impl<B: BlobStore, I: IndexStore> DurableTier<B, I> {
    /// Removes blobs that nobody can reach: those of fills that were aborted or fenced off, and of objects that were
    /// replaced, purged, or forgotten by the index. Records that have expired are the index's own affair.
    ///
    /// It may run while others fill, purge and read, on any node, several at once. A reader that is in
    /// the middle of a body that was replaced or purged gets `NotFound`, if the store cuts it off.
    ///
    /// - Effect: deletes from the blob store, unless `dry_run`. Reads the index.
    /// - Cancellation: what was deleted is deleted.
    /// - Errors: `Invalid` for a grace below the configured one. The first error of a store ends it; it can
    ///   be repeated at any time.
    /// - Idempotence: when writing stops, repeats come to find no orphans.
    pub async fn collect(&self, options: &GcOptions) -> Result<GcReport> {
        let least = self.shared.config.gc_grace;
        let grace = options.grace.unwrap_or(least);
        if grace < least {
            let message = "grace: at least the configured gc_grace, which fills rely on";
            return Err(Error::new(ErrorKind::Invalid, "durable.collect", message));
        }
        let span = tracing::debug_span!("collect", dry_run = options.dry_run);
        let collected = self.sweep(options, grace).instrument(span).await;
        counted(&collected);
        if let Ok(Some((objects, bytes))) = collected.as_ref().map(GcReport::left) {
            self.shared.held.set(objects, bytes);
        }
        collected
    }

    async fn sweep(&self, options: &GcOptions, grace: Duration) -> Result<GcReport> {
        let cutoff = self.shared.clock.now().before(grace);
        let mut report = GcReport::default();
        let verdicts = self
            .shared
            .blobs
            .list()
            .map(|blob| async move {
                match blob {
                    Ok(blob) => Ok((self.judge(&blob, cutoff).await?, blob)),
                    Err(cause) => Err(cause),
                }
            })
            .buffer_unordered(options.concurrency.max(1));
        let mut verdicts = std::pin::pin!(verdicts);
        while let Some((verdict, blob)) = verdicts.try_next().await? {
            report.scanned += 1;
            report.scanned_bytes += blob.len;
            match verdict {
                Verdict::Keep => {}
                Verdict::Undecidable => report.undecidable += 1,
                Verdict::Orphan => {
                    report.orphans += 1;
                    report.orphan_bytes += blob.len;
                    if options.dry_run {
                        continue;
                    }
                    if report.deleted == options.max_deletes {
                        report.truncated = true;
                        break;
                    }
                    self.shared.blobs.delete(&blob.name).await?;
                    report.deleted += 1;
                    report.deleted_bytes += blob.len;
                }
            }
        }
        Ok(report)
    }

    async fn judge(&self, blob: &BlobInfo, cutoff: Timestamp) -> Result<Verdict> {
        if blob.modified >= cutoff {
            return Ok(Verdict::Keep);
        }
        let slot = match self.shared.read(&blob.name.key).await {
            Ok(slot) => slot,
            Err(cause) if cause.kind() == ErrorKind::Unsupported => {
                return Ok(Verdict::Undecidable);
            }
            Err(cause) => return Err(cause),
        };
        let generation = blob.name.generation;
        let reserved = slot.reservation().is_some_and(|reservation| {
            reservation.generation == generation && reservation.until >= cutoff
        });
        Ok(if reserved || slot.live_generation() == Some(generation) {
            Verdict::Keep
        } else if slot.is_damaged() {
            Verdict::Undecidable
        } else {
            Verdict::Orphan
        })
    }
}

fn counted(collected: &Result<GcReport>) {
    let outcome = match collected {
        Ok(report) => {
            counter!("terrace_gc_deleted_blobs_total").increment(report.deleted);
            counter!("terrace_gc_deleted_bytes_total").increment(report.deleted_bytes);
            counter!("terrace_gc_undecidable_blobs_total").increment(report.undecidable);
            "complete"
        }
        Err(_) => "failed",
    };
    counter!("terrace_gc_collections_total", "outcome" => outcome).increment(1);
}

/// Says what is counted here, for the `HELP` lines of an exporter.
pub(crate) fn describe() {
    describe_counter!("terrace_gc_collections_total", "Collections of garbage");
    for outcome in ["complete", "failed"] {
        // Seen before the first one, so that the first one is a change.
        counter!("terrace_gc_collections_total", "outcome" => outcome).increment(0);
    }
    describe_counter!(
        "terrace_gc_deleted_blobs_total",
        "Blobs deleted because nobody could reach them"
    );
    describe_counter!(
        "terrace_gc_deleted_bytes_total",
        Unit::Bytes,
        "Bytes of the blobs deleted"
    );
    describe_counter!(
        "terrace_gc_undecidable_blobs_total",
        "Blobs kept because their record is damaged, or of a newer version"
    );
}

#[cfg(test)]
mod tests;
