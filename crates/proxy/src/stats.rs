//! What the status page shows of the requests: counters of this process that can be read back, which those behind the
//! `metrics` facade cannot.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use terrace_core::Level;
use terrace_tiers::Source;
use tokio::time::Instant;

use histogram::Histogram;
use top::Top;

use crate::status::{Report, Served};

pub(crate) use histogram::Buckets;
pub(crate) use history::{History, Sample, Since};
pub(crate) use top::Ranking;

mod heavy;
mod histogram;
mod history;
mod top;

/// How a request ended, as the page tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Hit,
    Stale,
    Collapsed,
    Revalidated,
    StaleOnError,
    Miss,
    Pass,
    Generated,
    Purge,
    Error,
    Aborted,
}

impl Ending {
    /// In the order of their declaration.
    pub(crate) const ALL: [Self; 11] = [
        Self::Hit,
        Self::Stale,
        Self::Collapsed,
        Self::Revalidated,
        Self::StaleOnError,
        Self::Miss,
        Self::Pass,
        Self::Generated,
        Self::Purge,
        Self::Error,
        Self::Aborted,
    ];

    /// Its name, the same as in `terrace_proxy_requests_total`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Collapsed => "collapsed",
            Self::Revalidated => "revalidated",
            Self::StaleOnError => "stale_on_error",
            Self::Miss => "miss",
            Self::Pass => "pass",
            Self::Generated => "generated",
            Self::Purge => "purge",
            Self::Error => "error",
            Self::Aborted => "aborted",
        }
    }

    fn of(report: &Report) -> Self {
        match report.served {
            Served::Hit { stale: false } => Self::Hit,
            Served::Hit { stale: true } => Self::Stale,
            Served::Collapsed => Self::Collapsed,
            Served::Revalidated => Self::Revalidated,
            Served::StaleOnError => Self::StaleOnError,
            Served::Origin if report.stored => Self::Miss,
            Served::Origin => Self::Pass,
            Served::Generated => Self::Generated,
        }
    }

    /// Whether the body came from here. Of a revalidated one, the origin sent a header only.
    pub(crate) const fn is_from_cache(self) -> bool {
        matches!(
            self,
            Self::Hit | Self::Stale | Self::Collapsed | Self::Revalidated | Self::StaleOnError
        )
    }
}

/// One number for each way to end.
pub(crate) type ByEnding = [u64; Ending::ALL.len()];

/// The counters, and their recent past. A request costs three or four additions, and one in some a look into a small table.
#[derive(Debug)]
pub(crate) struct Stats {
    began: Instant,
    endings: [Counts; Ending::ALL.len()],
    /// Of requests that did not wait for the origin's answer to them.
    from_cache: Histogram,
    /// Of requests that did.
    from_origin: Histogram,
    /// Fresh hits, by the tier they were found in.
    hits: [AtomicU64; Level::ALL.len()],
    top: Top,
    history: Mutex<History>,
}

/// Side by side, to be in one line of the processor's cache.
#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    bytes: AtomicU64,
}

/// All counters as they were at about one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    pub(crate) requests: ByEnding,
    pub(crate) bytes: ByEnding,
    pub(crate) from_cache: Buckets,
    pub(crate) from_origin: Buckets,
    pub(crate) hits: [u64; Level::ALL.len()],
}

impl Stats {
    /// Counts from now on.
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            endings: Default::default(),
            from_cache: Histogram::default(),
            from_origin: Histogram::default(),
            hits: Default::default(),
            top: Top::default(),
            history: Mutex::default(),
        }
    }

    /// A response was sent to its end. `url` is called for one in some.
    pub(crate) fn served(
        &self,
        report: &Report,
        bytes: u64,
        took: Duration,
        url: impl FnOnce() -> String,
    ) {
        let ending = Ending::of(report);
        let before = self.count(ending, bytes);
        if let (Ending::Hit, Some(Source::Tier(level))) = (ending, report.source) {
            self.hits[level.index()].fetch_add(1, Ordering::Relaxed);
        }
        match ending {
            Ending::Hit | Ending::Stale | Ending::Collapsed => self.from_cache.record(took),
            Ending::Generated => return,
            _ => self.from_origin.record(took),
        }
        self.top.offer(before, bytes, url);
    }

    /// A response was cut short, or a purge answered.
    pub(crate) fn ended(&self, ending: Ending, bytes: u64) {
        self.count(ending, bytes);
    }

    /// Adds it up, and answers how many had ended so before.
    fn count(&self, ending: Ending, bytes: u64) -> u64 {
        let counts = &self.endings[ending as usize];
        counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        counts.requests.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn totals(&self) -> Totals {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            requests: self.endings.each_ref().map(|it| read(&it.requests)),
            bytes: self.endings.each_ref().map(|it| read(&it.bytes)),
            from_cache: self.from_cache.buckets(),
            from_origin: self.from_origin.buckets(),
            hits: self.hits.each_ref().map(read),
        }
    }

    /// Adds a sample to the history: to be called once a second, `elapsed` after the last time.
    pub(crate) fn tick(&self, elapsed: Duration) {
        self.history.lock().tick(self, elapsed);
    }

    pub(crate) fn history(&self) -> parking_lot::MutexGuard<'_, History> {
        self.history.lock()
    }

    pub(crate) fn uptime(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn top(&self) -> &Top {
        &self.top
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Forward;

    #[test]
    fn endings_stand_at_their_own_index() {
        for (index, ending) in Ending::ALL.into_iter().enumerate() {
            assert_eq!(ending as usize, index, "{}", ending.as_str());
        }
    }

    #[test]
    fn a_request_is_counted_once_and_timed_by_who_answered() {
        let stats = Stats::new();
        let took = Duration::from_millis(3);
        let url = || "http://example.com/".to_owned();
        let hit = Report::new(Served::Hit { stale: false }, Forward::UriMiss);
        stats.served(&hit, 10, took, url);
        stats.served(&hit, 10, took, url);
        let mut miss = Report::new(Served::Origin, Forward::UriMiss);
        stats.served(&miss, 7, took, url);
        miss.stored = true;
        stats.served(&miss, 5, took, url);
        stats.ended(Ending::Aborted, 1);

        let totals = stats.totals();
        let of = |ending: Ending| {
            (
                totals.requests[ending as usize],
                totals.bytes[ending as usize],
            )
        };
        assert_eq!(of(Ending::Hit), (2, 20));
        assert_eq!(of(Ending::Pass), (1, 7));
        assert_eq!(of(Ending::Miss), (1, 5));
        assert_eq!(of(Ending::Aborted), (1, 1));
        assert_eq!(totals.requests.iter().sum::<u64>(), 5);
        assert_eq!(totals.from_cache.count(), 2);
        assert_eq!(totals.from_origin.count(), 2);
    }
}
