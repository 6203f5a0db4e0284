//! How a response came about: what `Cache-Status` (RFC 9211) and the metrics say.

use terrace_core::Timestamp;
use terrace_tiers::Source;

/// Why a request was, or would have been, forwarded to the origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forward {
    /// The cache is not used for it.
    Bypass,
    /// Its method has to be seen by the origin.
    Method,
    /// Nothing is stored for its URL.
    UriMiss,
    /// Something is, but not the variant it selects.
    VaryMiss,
    /// What is stored is fresh, but the request does not want it, or is not one a stored response answers.
    Request,
    /// What is stored is stale.
    Stale,
}

impl Forward {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Request => "request",
            Self::Stale => "stale",
        }
    }
}

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Served {
    /// The cache: fresh, or stale while it is revalidated in the background.
    Hit { stale: bool },
    /// The response to somebody else's request for the same.
    Collapsed,
    /// The cache, for the origin has just confirmed what is stored.
    Revalidated,
    /// The cache, stale, for the origin failed.
    StaleOnError,
    /// The origin.
    Origin,
    /// This proxy itself: the origin was not, or could not be, asked.
    Generated,
}

/// How a response came about.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) served: Served,
    /// Where the stored response was found.
    pub(crate) source: Option<Source>,
    pub(crate) forward: Forward,
    /// What the origin answered, where that is not what the client gets.
    pub(crate) forward_status: Option<u16>,
    pub(crate) stored: bool,
    /// Until when it is fresh.
    pub(crate) fresh_until: Option<Timestamp>,
    /// Why it was not stored.
    pub(crate) refused: Option<&'static str>,
}

impl Report {
    pub(crate) fn new(served: Served, forward: Forward) -> Self {
        Self {
            served,
            source: None,
            forward,
            forward_status: None,
            stored: false,
            fresh_until: None,
            refused: None,
        }
    }

    /// Its name in metrics and logs.
    pub(crate) fn outcome(&self) -> &'static str {
        match self.served {
            Served::Hit { stale: false } => "hit",
            Served::Hit { stale: true } => "stale",
            Served::Collapsed => "collapsed",
            Served::Revalidated => "revalidated",
            Served::StaleOnError => "stale_on_error",
            Served::Origin if self.stored => "miss",
            Served::Origin => "pass",
            Served::Generated => "generated",
        }
    }

    /// The member our cache adds to `Cache-Status`. Every response has one, so that it is put together without `fmt`,
    /// which would take several times as long.
    pub(crate) fn cache_status(&self, name: &str, now: Timestamp) -> String {
        let mut number = itoa::Buffer::new();
        // Long enough for most: growing it costs more than writing it.
        let mut text = String::with_capacity(96);
        text.push_str(name);
        if let Served::Hit { .. } = self.served {
            text.push_str("; hit");
        } else {
            text.push_str("; fwd=");
            text.push_str(self.forward.as_str());
        }
        if let Some(status) = self.forward_status {
            text.push_str("; fwd-status=");
            text.push_str(number.format(status));
        }
        if self.stored {
            text.push_str("; stored");
        }
        if self.served == Served::Collapsed {
            text.push_str("; collapsed");
        }
        if let Some(detail) = self.refused.or(self.source.map(Source::as_str)) {
            text.push_str("; detail=");
            text.push_str(detail);
        }
        if let Some(ttl) = self.ttl(now) {
            text.push_str("; ttl=");
            text.push_str(number.format(ttl));
        }
        text
    }

    /// In seconds, rounded away from zero: what is stale is never told as 0.
    fn ttl(&self, now: Timestamp) -> Option<i64> {
        let until = self.fresh_until?;
        let millis = |it: Timestamp| i64::try_from(it.as_millis()).unwrap_or(i64::MAX);
        let left = millis(until).saturating_sub(millis(now));
        Some((left.saturating_abs().saturating_add(999) / 1000) * left.signum())
    }
}

#[cfg(test)]
mod tests {
    use terrace_core::Level;

    use super::*;

    fn text(report: &Report) -> String {
        let now = Timestamp::from_millis(100_000);
        report.cache_status("terrace", now)
    }

    #[test]
    fn a_hit_names_its_tier_and_what_is_left() {
        let mut report = Report::new(Served::Hit { stale: false }, Forward::UriMiss);
        report.source = Some(Source::Tier(Level::L0));
        report.fresh_until = Some(Timestamp::from_millis(158_001));
        assert_eq!(text(&report), "terrace; hit; detail=L0; ttl=59");
        report.fresh_until = Some(Timestamp::from_millis(99_500));
        assert_eq!(text(&report), "terrace; hit; detail=L0; ttl=-1");
    }

    #[test]
    fn a_miss_says_why_and_whether_it_was_stored() {
        let mut report = Report::new(Served::Origin, Forward::UriMiss);
        report.stored = true;
        assert_eq!(text(&report), "terrace; fwd=uri-miss; stored");
        report.stored = false;
        report.refused = Some("set-cookie");
        assert_eq!(text(&report), "terrace; fwd=uri-miss; detail=set-cookie");
    }

    #[test]
    fn a_revalidation_shows_the_origins_answer() {
        let mut report = Report::new(Served::Revalidated, Forward::Stale);
        report.forward_status = Some(304);
        assert_eq!(text(&report), "terrace; fwd=stale; fwd-status=304");
    }

    #[test]
    fn a_shared_fill_is_collapsed() {
        let mut report = Report::new(Served::Collapsed, Forward::UriMiss);
        report.source = Some(Source::Filling);
        assert_eq!(
            text(&report),
            "terrace; fwd=uri-miss; collapsed; detail=filling"
        );
    }
}
