use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;
use metrics::{counter, describe_counter};
use pingora::protocols::Stream;
use terrace_core::{Clock, SystemClock};

/// Why a connection is closed before its request reaches the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There are enough connections.
    TooMany,
    /// The head did not come in time.
    Slow,
    /// The connection ended within the head.
    CutShort,
    /// The head has more bytes than it may.
    Large,
    /// The target alone has.
    LongTarget,
    /// It has more fields than it may.
    ManyFields,
    /// A method longer than any.
    Method,
    /// Another version than HTTP/1.0 and 1.1.
    Version,
    /// A transfer coding other than `chunked`.
    Coding,
    /// It is not HTTP, or can be read in two ways.
    Malformed(&'static str),
}

impl Refusal {
    const ALL: [Self; 10] = [
        Self::TooMany,
        Self::Slow,
        Self::CutShort,
        Self::Large,
        Self::LongTarget,
        Self::ManyFields,
        Self::Method,
        Self::Version,
        Self::Coding,
        Self::Malformed(""),
    ];

    /// What the client is told; nothing if it is gone.
    pub(super) fn status(self) -> Option<StatusCode> {
        Some(match self {
            Self::CutShort => return None,
            Self::TooMany => StatusCode::SERVICE_UNAVAILABLE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Large | Self::ManyFields => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::LongTarget => StatusCode::URI_TOO_LONG,
            Self::Method | Self::Coding => StatusCode::NOT_IMPLEMENTED,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
        })
    }

    /// Its name in metrics and logs.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::TooMany => "too_many",
            Self::Slow => "slow",
            Self::CutShort => "cut_short",
            Self::Large => "large",
            Self::LongTarget => "long_target",
            Self::ManyFields => "many_fields",
            Self::Method => "method",
            Self::Version => "version",
            Self::Coding => "coding",
            Self::Malformed(_) => "malformed",
        }
    }

    /// What is wrong, for people.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::TooMany => "too many connections: try again later",
            Self::Slow => "the head of the request did not come in time",
            Self::CutShort => "the connection ended within the head of a request",
            Self::Large => "the head of the request is too large",
            Self::LongTarget => "the request target is too long",
            Self::ManyFields => "the request has too many header fields",
            Self::Method => "this method is longer than any that is known here",
            Self::Version => "HTTP/1.0, HTTP/1.1 and HTTP/2 are spoken here",
            Self::Coding => "chunked is the only transfer coding that is known here",
            Self::Malformed(why) => why,
        }
    }
}

/// Counts refusals, and logs one a second: a flood of them must not become a flood of lines.
#[derive(Debug)]
pub(super) struct Log {
    second: AtomicU64,
    unsaid: AtomicU64,
}

const REFUSED: &str = "terrace_proxy_connections_refused_total";

impl Log {
    pub(super) fn new() -> Self {
        describe_counter!(
            REFUSED,
            "Connections closed before their request was served"
        );
        for refusal in Refusal::ALL {
            // An alarm wants to see it before it has happened.
            counter!(REFUSED, "reason" => refusal.as_str()).increment(0);
        }
        Self {
            second: AtomicU64::new(0),
            unsaid: AtomicU64::new(0),
        }
    }

    pub(super) fn note(&self, refusal: Refusal, stream: &Stream) {
        let reason = refusal.as_str();
        counter!(REFUSED, "reason" => reason).increment(1);
        let Some(unsaid) = self.turn(SystemClock.now().as_millis() / 1000) else {
            return;
        };
        let digest = stream.get_socket_digest();
        let peer = digest.and_then(|digest| digest.peer_addr().map(ToString::to_string));
        let why = refusal.message();
        tracing::info!(reason, peer, unsaid, "a connection was refused: {why}");
    }

    /// In the first call of a second, how many were left out since the last such call.
    fn turn(&self, now: u64) -> Option<u64> {
        let said = self.second.load(Ordering::Relaxed);
        let is_ours = said != now
            && self
                .second
                .compare_exchange(said, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if is_ours {
            return Some(self.unsaid.swap(0, Ordering::Relaxed));
        }
        self.unsaid.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[test]
fn one_refusal_a_second_is_logged_and_says_how_many_were_not() {
    let log = Log::new();
    assert_eq!(log.turn(7), Some(0));
    assert_eq!((log.turn(7), log.turn(7)), (None, None));
    assert_eq!((log.turn(8), log.turn(8)), (Some(2), None));
}
