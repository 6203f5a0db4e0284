use std::time::Duration;

/// How long the origin is held back per chunk so that a reader who is far behind does not fall further.
///
/// The writer cannot simply wait for the reader: Pingora runs both in one loop, and while the writer waits the
/// reader does not read. So it pauses, and feels its way: longer while the gap grows, shorter as soon as it
/// shrinks, which settles where the origin is as fast as the reader.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    pause: Duration,
    lag: u64,
}

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(1);

impl Pace {
    /// The pause after a chunk that leaves the slowest reader `lag` bytes behind, of which `tolerated` do not matter.
    pub(crate) fn after(&mut self, lag: u64, tolerated: u64) -> Option<Duration> {
        let grows = lag >= std::mem::replace(&mut self.lag, lag);
        self.pause = match (lag > tolerated, grows) {
            (false, _) => Duration::ZERO,
            (true, true) => (self.pause * 3 / 2).clamp(SHORTEST, LONGEST),
            // Less than the step up undoes: on the whole the gap shrinks.
            (true, false) => self.pause * 3 / 4,
        };
        (self.pause >= SHORTEST).then_some(self.pause)
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a rough simulation"
    )]

    use super::*;

    /// Simulates an origin that sends 64 KiB whenever it may, and a reader of `rate` bytes a second. Answers the
    /// largest gap.
    fn largest_lag(rate: u64, tolerated: u64, len: u64) -> u64 {
        const CHUNK: u64 = 64 * 1024;
        let (mut pace, mut written, mut read, mut largest) = (Pace::default(), 0, 0.0, 0);
        while written < len {
            written += CHUNK;
            // What the origin itself needs for a chunk.
            let mut took = Duration::from_micros(100);
            let lag = written - (read as u64).min(written);
            took += pace.after(lag, tolerated).unwrap_or_default();
            read = (read + rate as f64 * took.as_secs_f64()).min(written as f64);
            largest = largest.max(lag);
        }
        largest
    }

    #[test]
    fn the_gap_stays_near_what_is_tolerated_whatever_the_reader_does() {
        const MIB: u64 = 1024 * 1024;
        for rate in [100_000, MIB, 30 * MIB, 300 * MIB] {
            let largest = largest_lag(rate, 100 * MIB, 2048 * MIB);
            assert!(largest < 110 * MIB, "{rate} bytes/s: {largest}");
        }
        assert!(
            largest_lag(1 << 40, MIB, 64 * MIB) <= MIB,
            "who keeps up is not held back"
        );
    }
}
