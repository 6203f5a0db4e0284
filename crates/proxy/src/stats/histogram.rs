use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Four to an octave, from 1 µs to 268 s: a quantile is told to within an eighth.
const BUCKETS: usize = 108;

/// Durations, counted in buckets that widen with them.
#[derive(Debug)]
pub(super) struct Histogram([AtomicU64; BUCKETS]);

impl Default for Histogram {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; BUCKETS])
    }
}

impl Histogram {
    pub(super) fn record(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.0[index(micros)].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn buckets(&self) -> Buckets {
        Buckets(self.0.each_ref().map(|it| it.load(Ordering::Relaxed)))
    }
}

/// What a histogram had counted at a moment, or between two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Buckets([u64; BUCKETS]);

impl Default for Buckets {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Buckets {
    /// What was counted since `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let mut difference = self.clone();
        for (count, before) in difference.0.iter_mut().zip(before.0) {
            *count = count.saturating_sub(before);
        }
        difference
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The duration in microseconds that `percent` of all do not exceed; `None` if there are none.
    pub(crate) fn quantile(&self, percent: u64) -> Option<u64> {
        let count = self.count();
        let rank = count.saturating_mul(percent).div_ceil(100).max(1);
        let mut seen = 0;
        let reaches = |count: &u64| {
            seen += count;
            seen >= rank
        };
        let bucket = self.0.iter().position(reaches)?;
        Some(middle(bucket))
    }
}

/// The bucket of a duration: up to 3 µs one each, then by the highest bit and the two below it.
fn index(micros: u64) -> usize {
    let index = if micros < 4 {
        micros
    } else {
        let octave = micros.ilog2();
        let quarter = (micros >> (octave - 2)) & 3;
        (u64::from(octave) - 1) * 4 + quarter
    };
    usize::try_from(index).map_or(BUCKETS - 1, |index| index.min(BUCKETS - 1))
}

/// The middle of a bucket, in microseconds.
fn middle(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 8 {
        return bucket;
    }
    let (octave, quarter) = (bucket / 4 + 1, bucket % 4);
    let width = 1 << (octave - 2);
    (4 + quarter) * width + width / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_told_to_within_an_eighth() {
        for micros in (0..20_000).chain([65_535, 65_536, 1_000_000, 59_999_999, 200_000_000]) {
            let told = middle(index(micros));
            assert!(told.abs_diff(micros) * 8 <= micros, "{micros}: {told}");
        }
        assert_eq!(index(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn buckets_grow_with_what_they_hold() {
        let middles: Vec<_> = (0..BUCKETS).map(middle).collect();
        assert!(middles.is_sorted_by(|a, b| a < b), "{middles:?}");
        for (bucket, middle) in middles.iter().enumerate() {
            assert_eq!(index(*middle), bucket);
        }
    }

    #[test]
    fn quantiles_are_of_what_came_in_between() {
        let histogram = Histogram::default();
        histogram.record(Duration::from_secs(9));
        let before = histogram.buckets();
        for _ in 0..99 {
            histogram.record(Duration::from_micros(100));
        }
        histogram.record(Duration::from_millis(50));
        let between = histogram.buckets().since(&before);
        assert_eq!(between.count(), 100);
        let quantile = |percent| between.quantile(percent).unwrap();
        assert!((90..110).contains(&quantile(50)), "{}", quantile(50));
        assert!((90..110).contains(&quantile(99)), "{}", quantile(99));
        assert!((45_000..55_000).contains(&quantile(100)));
        assert_eq!(before.since(&before).quantile(50), None);
    }
}
