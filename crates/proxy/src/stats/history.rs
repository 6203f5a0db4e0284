use std::collections::VecDeque;
use std::time::Duration;

use terrace_core::Level;

use super::{ByEnding, Ending, Stats, Totals};

/// The last five minutes by the second, and the last hour by ten seconds: about 130 KiB, whatever the traffic.
#[derive(Debug)]
pub(crate) struct History {
    seconds: Ring,
    tens: Ring,
    ticks: u64,
}

const SECONDS: usize = 300;
const TENS: usize = 360;
/// Ticks to a sample of the hour.
const TEN: u64 = 10;
/// Ticks to a minute.
const MINUTE: u64 = 60;

/// What happened within one step of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sample {
    /// How long the step really was, in milliseconds.
    pub(crate) span: u64,
    pub(crate) requests: ByEnding,
    pub(crate) bytes_from_cache: u64,
    pub(crate) bytes_from_origin: u64,
    /// In microseconds, the median and what 99 in 100 do not exceed; `None` if there was no request.
    pub(crate) cache: [Option<u64>; 2],
    pub(crate) origin: [Option<u64>; 2],
    /// Fresh hits, by the tier they were found in.
    pub(crate) hits: [u64; Level::ALL.len()],
}

/// Samples from some number on.
#[derive(Debug)]
pub(crate) struct Since {
    /// The number of the first one.
    pub(crate) first: u64,
    pub(crate) samples: Vec<Sample>,
}

impl Default for History {
    /// Begins with nothing counted.
    fn default() -> Self {
        Self {
            seconds: Ring::new(SECONDS),
            tens: Ring::new(TENS),
            ticks: 0,
        }
    }
}

impl History {
    /// Samples that are kept: of a second, and of ten.
    pub(crate) const KEPT: [usize; 2] = [SECONDS, TENS];

    /// To be called once a second, `elapsed` after the last time.
    pub(super) fn tick(&mut self, stats: &Stats, elapsed: Duration) {
        let totals = stats.totals();
        self.ticks += 1;
        self.tens.span += elapsed;
        if self.ticks.is_multiple_of(TEN) {
            self.tens.push(totals.clone());
        }
        self.seconds.span += elapsed;
        let sample = self.seconds.push(totals);
        stats.top().pace(sample.requests.iter().sum());
        if self.ticks.is_multiple_of(MINUTE) {
            stats.top().fade();
        }
    }

    /// The seconds with the number `from` and those after it, as far as they are kept.
    pub(crate) fn seconds(&self, from: u64) -> Since {
        self.seconds.since(from)
    }

    /// The tens of seconds, likewise.
    pub(crate) fn tens(&self, from: u64) -> Since {
        self.tens.since(from)
    }
}

#[derive(Debug)]
struct Ring {
    samples: VecDeque<Sample>,
    capacity: usize,
    /// How many there were before those that are kept.
    dropped: u64,
    before: Totals,
    span: Duration,
}

impl Ring {
    fn new(capacity: usize) -> Self {
        Self {
            samples: VecDeque::with_capacity(capacity),
            capacity,
            dropped: 0,
            before: Totals::default(),
            span: Duration::ZERO,
        }
    }

    fn push(&mut self, totals: Totals) -> &Sample {
        let span = std::mem::take(&mut self.span);
        let sample = Sample::between(&self.before, &totals, span);
        self.before = totals;
        if self.samples.len() == self.capacity {
            self.samples.pop_front();
            self.dropped += 1;
        }
        self.samples.push_back(sample);
        &self.samples[self.samples.len() - 1]
    }

    fn since(&self, from: u64) -> Since {
        let next = self.dropped + self.samples.len() as u64;
        // A number from the future is of another process, which had our address before.
        let first = if from > next { 0 } else { from }.max(self.dropped);
        let skip = usize::try_from(first - self.dropped).unwrap_or(usize::MAX);
        Since {
            first,
            samples: self.samples.iter().skip(skip).cloned().collect(),
        }
    }
}

impl Sample {
    fn between(before: &Totals, after: &Totals, span: Duration) -> Self {
        let bytes = difference(&after.bytes, &before.bytes);
        let sum = |from_cache: bool| {
            let chosen = Ending::ALL.into_iter().zip(bytes);
            let chosen = chosen.filter(|(ending, _)| ending.is_from_cache() == from_cache);
            chosen.map(|(_, bytes)| bytes).sum()
        };
        let cache = after.from_cache.since(&before.from_cache);
        let origin = after.from_origin.since(&before.from_origin);
        Self {
            span: u64::try_from(span.as_millis()).unwrap_or(u64::MAX),
            requests: difference(&after.requests, &before.requests),
            bytes_from_cache: sum(true),
            bytes_from_origin: sum(false),
            cache: [50, 99].map(|percent| cache.quantile(percent)),
            origin: [50, 99].map(|percent| origin.quantile(percent)),
            hits: difference(&after.hits, &before.hits),
        }
    }
}

fn difference<const N: usize>(after: &[u64; N], before: &[u64; N]) -> [u64; N] {
    let mut difference = *after;
    for (count, before) in difference.iter_mut().zip(before) {
        *count = count.saturating_sub(*before);
    }
    difference
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{Forward, Report, Served};

    const SECOND: Duration = Duration::from_secs(1);

    fn hit(stats: &Stats, bytes: u64) {
        let report = Report::new(Served::Hit { stale: false }, Forward::UriMiss);
        stats.served(&report, bytes, Duration::from_micros(100), || {
            "/".to_owned()
        });
    }

    #[test]
    fn a_sample_tells_what_came_since_the_last_one() {
        let stats = Stats::new();
        hit(&stats, 1);
        let mut history = History::default();
        history.tick(&stats, SECOND);
        hit(&stats, 100);
        hit(&stats, 100);
        stats.ended(Ending::Aborted, 50);
        history.tick(&stats, Duration::from_millis(1100));
        history.tick(&stats, SECOND);

        let Since { first, samples } = history.seconds(1);
        assert_eq!((first, samples.len()), (1, 2));
        assert_eq!(samples[0].span, 1100);
        assert_eq!(samples[0].requests[Ending::Hit as usize], 2);
        assert_eq!(samples[0].bytes_from_cache, 200);
        assert_eq!(samples[0].bytes_from_origin, 50);
        assert!(samples[0].cache[0].is_some_and(|it| (90..110).contains(&it)));
        assert_eq!(samples[1].requests, [0; Ending::ALL.len()]);
        assert_eq!(
            (samples[1].cache, samples[1].origin),
            ([None; 2], [None; 2])
        );
    }

    #[test]
    fn the_hour_is_kept_in_steps_of_ten_seconds() {
        let stats = Stats::new();
        let mut history = History::default();
        for _ in 0..25 {
            hit(&stats, 1);
            history.tick(&stats, SECOND);
        }
        let tens = history.tens(0).samples;
        assert_eq!(tens.len(), 2);
        assert_eq!((tens[1].span, tens[1].bytes_from_cache), (10_000, 10));
    }

    #[test]
    fn no_more_is_kept_than_fits_and_a_reader_goes_on_where_it_was() {
        let stats = Stats::new();
        let mut history = History::default();
        for _ in 0..1000 {
            history.tick(&stats, SECOND);
        }
        let all = history.seconds(0);
        assert_eq!((all.first, all.samples.len()), (700, 300));
        let rest = history.seconds(998);
        assert_eq!((rest.first, rest.samples.len()), (998, 2));
        let none = history.seconds(1000);
        assert_eq!((none.first, none.samples.len()), (1000, 0));
        // As after a restart.
        assert_eq!(history.seconds(1_000_000).first, 700);
    }
}
