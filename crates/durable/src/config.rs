use std::time::Duration;

use terrace_core::{Error, ErrorKind, MAX_MANIFEST_BYTES, Result};

const MINUTE: Duration = Duration::from_mins(1);

/// How a [`DurableTier`](crate::DurableTier) weighs memory, round trips and time.
///
/// All nodes that share an index and a blob store should agree on the durations: a fill of one node
/// relies on the tombstones of another, and on the grace of whichever collects garbage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurableConfig {
    /// Bodies up to this many bytes are kept in the index record itself: one round trip instead of two, and
    /// no object to pay for. At most 512 KiB, and less where the index takes only small records. A fill
    /// buffers up to this many bytes. Default: 8 KiB.
    pub inline_max: usize,
    /// How long the index remembers a change at least, purges above all. A fill that has not announced
    /// itself must be committed within half of it; the other half is the margin for clocks that
    /// disagree and calls that are slow. At least one minute. Default: one hour.
    pub tombstone_ttl: Duration,
    /// A fill that is older than this, counted from its fence, announces itself in the index by a reservation.
    /// Less than half of [`tombstone_ttl`](Self::tombstone_ttl) and of [`gc_grace`](Self::gc_grace).
    /// Default: a quarter of the shorter of the two.
    pub reserve_after: Option<Duration>,
    /// How long a reservation holds unless it is prolonged, which a fill does while it writes. An
    /// upload that stalls for longer is lost. At least one minute. Default: one hour.
    pub reservation_ttl: Duration,
    /// How long a record is kept after its object's `stale_until`, in which it can
    /// still be revalidated. Default: one hour.
    pub retain_slack: Duration,
    /// Garbage collection leaves younger blobs and reservations alone. Half of it bounds the time a fill that
    /// has not announced itself may take; the other half is the margin, as above. At
    /// least one minute. Default: one hour.
    pub gc_grace: Duration,
    /// How often a purge or a metadata update tries to change a record that others change at the same time,
    /// before it fails with `Contended`. From 1 to 1,000. Default: 16.
    pub max_attempts: u32,
    /// The largest piece a body hands out, in bytes: what a reader's next step has to hold. From 4 KiB to 16
    /// MiB. Default: 256 KiB.
    pub read_piece: usize,
}

impl Default for DurableConfig {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_hours(1);
        Self {
            inline_max: 8 * 1024,
            tombstone_ttl: HOUR,
            reserve_after: None,
            reservation_ttl: HOUR,
            retain_slack: HOUR,
            gc_grace: HOUR,
            max_attempts: 16,
            read_piece: 256 * 1024,
        }
    }
}

impl DurableConfig {
    /// Errors with `Invalid`, naming the field and its bounds.
    pub(crate) fn validate(&self) -> Result<()> {
        check(
            self.inline_max <= MAX_MANIFEST_BYTES / 2,
            "inline_max: at most 512 KiB, or bodies would not fit into index records",
        )?;
        check(
            self.tombstone_ttl >= MINUTE,
            "tombstone_ttl: at least one minute, or slow fills would bring purged objects back",
        )?;
        check(
            self.gc_grace >= MINUTE,
            "gc_grace: at least one minute, or collection would race fills",
        )?;
        check(
            self.reserve_after() < self.unreserved_max(),
            "reserve_after: less than half of tombstone_ttl and of gc_grace",
        )?;
        check(
            self.reservation_ttl >= MINUTE,
            "reservation_ttl: at least one minute, or every slow fill would be lost",
        )?;
        check(
            (1..=1000).contains(&self.max_attempts),
            "max_attempts: from 1 to 1,000",
        )?;
        check(
            (4 * 1024..=16 * 1024 * 1024).contains(&self.read_piece),
            "read_piece: from 4 KiB to 16 MiB",
        )
    }

    /// The age from which on a fill reserves.
    pub(crate) fn reserve_after(&self) -> Duration {
        self.reserve_after.unwrap_or(self.shorter_memory() / 4)
    }

    /// The age a fill may reach without a reservation: beyond it, a tombstone written after its fence
    /// may have been forgotten, and its blob may have been collected.
    pub(crate) fn unreserved_max(&self) -> Duration {
        self.shorter_memory() / 2
    }

    fn shorter_memory(&self) -> Duration {
        self.tombstone_ttl.min(self.gc_grace)
    }
}

fn check(holds: bool, message: &'static str) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Invalid, "durable.config", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid() {
        DurableConfig::default().validate().unwrap();
    }

    #[test]
    fn each_bound_is_checked_and_named() {
        type Break = fn(&mut DurableConfig);
        let broken: [(&str, Break); 7] = [
            ("inline_max", |c| c.inline_max = 512 * 1024 + 1),
            ("tombstone_ttl", |c| c.tombstone_ttl = Duration::ZERO),
            ("gc_grace", |c| c.gc_grace = Duration::ZERO),
            ("reserve_after", |c| {
                c.reserve_after = Some(c.tombstone_ttl / 2);
            }),
            ("reservation_ttl", |c| c.reservation_ttl = Duration::ZERO),
            ("max_attempts", |c| c.max_attempts = 0),
            ("read_piece", |c| c.read_piece = 0),
        ];
        for (field, change) in broken {
            let mut config = DurableConfig::default();
            change(&mut config);
            let error = config.validate().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains(field), "{error}");
        }
    }
}
