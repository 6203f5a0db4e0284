use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinSet;

use super::pass;
use super::world::World;
use crate::support::MIB;

/// Memory and descriptors of one process over time.
pub(super) struct Pulse {
    samples: JoinSet<Vec<Sample>>,
    stop: Arc<AtomicBool>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    memory: u64,
    files: usize,
}

/// All that was sampled.
pub(super) struct Told {
    samples: Vec<Sample>,
    peak: u64,
}

impl Pulse {
    pub(super) fn start(world: Arc<World>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let mut samples = JoinSet::new();
        samples.spawn(async move {
            let mut samples = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                if let Some(proxy) = world.proxy.read().await.as_ref() {
                    samples.push(Sample {
                        memory: proxy.memory(),
                        files: proxy.open_files(),
                    });
                }
                pass(250).await;
            }
            samples
        });
        Self { samples, stop }
    }

    pub(super) async fn stop(mut self) -> Told {
        self.stop.store(true, Ordering::Relaxed);
        let samples = self
            .samples
            .join_next()
            .await
            .expect("one")
            .expect("it samples");
        let peak = samples.iter().map(|it| it.memory).max().unwrap_or(0);
        Told { samples, peak }
    }
}

impl Told {
    /// The means of a quarter of the samples.
    fn quarter(&self, nth: usize) -> (f64, f64) {
        let len = self.samples.len() / 4;
        let part = &self.samples[nth * len..(nth + 1) * len];
        #[expect(clippy::cast_precision_loss, reason = "small enough")]
        let mean = |sum: u64| sum as f64 / len as f64;
        let files = part.iter().map(|it| it.files as u64).sum();
        (mean(part.iter().map(|it| it.memory).sum()), mean(files))
    }

    /// The last quarter is not much above the second, the first being the warm-up.
    pub(super) fn is_flat(&self) {
        let ((memory, files), (memory_now, files_now)) = (self.quarter(1), self.quarter(3));
        #[expect(clippy::cast_precision_loss, reason = "small enough")]
        let slack = (48 * MIB) as f64;
        assert!(memory_now < memory * 1.25 + slack, "memory grows: {self}");
        assert!(files_now < files * 1.5 + 60.0, "descriptors grow: {self}");
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[expect(clippy::cast_precision_loss, reason = "small enough")]
        let mib = |bytes: f64| bytes / MIB as f64;
        write!(f, "by quarters:")?;
        for nth in 0..4 {
            let (memory, files) = self.quarter(nth);
            write!(f, " {:.0} MiB and {files:.0} files,", mib(memory))?;
        }
        write!(f, " peak {} MiB", self.peak / MIB)
    }
}
