//! One line for each request of a client, written off the request's path.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, counter, describe_counter};
use terrace_core::{OsRandom, Random};

use crate::done::Done;

pub use error::AccessLogError;
pub use format::AccessLogFormat;
pub use writer::AccessLogWriter;

use ids::Ids;
use queue::Queue;
use record::Record;
use sink::Sink;

mod error;
mod escape;
mod field;
mod format;
mod ids;
mod queue;
mod record;
mod sink;
mod writer;

/// Where an [`AccessLog`] goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLogTarget {
    /// Standard output.
    Stdout,
    /// A file, which is made if it is not there, and appended to if it is. It is opened anew on SIGHUP, so that
    /// whoever rotates it moves it away and sends the signal.
    File(PathBuf),
}

/// One line for each request of a client. Clones share it.
///
/// A request only adds its line to a queue of bounded size; [`writer`](Self::writer) is the service that writes. While
/// whoever takes the lines is too slow, lines are **dropped and counted**
/// (`terrace_access_log_lines_total{outcome="dropped"}`): no request ever waits for its line.
///
/// What a client sends is escaped, so that no line can be forged, and cut after 2 KiB.
#[derive(Clone)]
pub struct AccessLog {
    shared: Arc<Shared>,
}

struct Shared {
    format: AccessLogFormat,
    ids: Ids,
    /// A line is written if its hash is at most this.
    threshold: u64,
    queue: Queue,
    sink: Sink,
    written: Counter,
    dropped: Counter,
    failed: Counter,
}

/// Bytes of lines that wait to be written.
const QUEUE_BYTES: usize = 1 << 20;

impl AccessLog {
    /// A log of every request. Errors if the file cannot be opened for writing.
    pub fn new(format: AccessLogFormat, target: AccessLogTarget) -> Result<Self, AccessLogError> {
        Self::sampled(format, target, 1.0, &OsRandom)
    }

    /// A log of a part of the requests, from 0 to 1. Which ones is decided by their identifiers: all lines of a request that
    /// goes through here twice are there, or none. `random` makes the choice, and identifiers, unpredictable.
    pub fn sampled(
        format: AccessLogFormat,
        target: AccessLogTarget,
        part: f64,
        random: &dyn Random,
    ) -> Result<Self, AccessLogError> {
        if !(0.0..=1.0).contains(&part) {
            return Err(AccessLogError::Part(part));
        }
        describe_counter!("terrace_access_log_lines_total", "Lines of the access log");
        let lines = |outcome| counter!("terrace_access_log_lines_total", "outcome" => outcome);
        Ok(Self {
            shared: Arc::new(Shared {
                format,
                ids: Ids::new(random),
                threshold: ids::threshold(part),
                queue: Queue::new(QUEUE_BYTES),
                sink: Sink::open(target)?,
                written: lines("written"),
                dropped: lines("dropped"),
                failed: lines("failed"),
            }),
        })
    }

    /// The service that writes. Add it to the server, once.
    pub fn writer(&self) -> AccessLogWriter {
        AccessLogWriter::new(self.clone())
    }

    /// Writes what waits in the queue now, for the end of a process. Says whether it was done within `timeout`.
    pub async fn finish(&self, timeout: Duration) -> bool {
        tokio::time::timeout(timeout, self.flush()).await.is_ok()
    }

    /// Adds the line of `done`, unless the sample leaves it out.
    pub(crate) fn add(&self, done: &Done<'_>) {
        let shared = &self.shared;
        let id = shared.ids.of(done.req());
        if shared.threshold < u64::MAX && shared.ids.hash(&id) > shared.threshold {
            return;
        }
        let mut line = shared.format.render(&Record::new(done, &id));
        line.push('\n');
        if !shared.queue.push(line.as_bytes()) {
            shared.dropped.increment(1);
        }
    }

    async fn flush(&self) {
        let shared = Arc::clone(&self.shared);
        let write = move || {
            // Taken under the sink's lock, or lines could overtake each other.
            shared.sink.write(|| shared.queue.take())
        };
        let (lines, written) = match tokio::task::spawn_blocking(write).await {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::error!(%error, "writing the access log did not finish");
                return;
            }
        };
        let counter = if written {
            &self.shared.written
        } else {
            &self.shared.failed
        };
        counter.increment(lines);
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog")
            .field("format", &self.shared.format)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
