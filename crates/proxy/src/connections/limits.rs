use std::time::Duration;

/// What clients may take before they have sent a request, and between two.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionLimits {
    /// Connections at a time; one more is answered 503. When three quarters are in use, a connection that waits for
    /// its next request is closed after a second. Default: 16,384. Each takes a file descriptor, and as many again for what it
    /// asks for.
    pub max_connections: usize,
    /// How long the head of a request may take, from its first byte to its last, and how long a new connection may be
    /// silent. Default: 10 s.
    pub header_timeout: Duration,
    /// Bytes of the head of a request, its first line included. Default: 64 KiB.
    pub header_bytes: usize,
    /// How long a connection is kept for its next request. Default: 60 s.
    pub keepalive_timeout: Duration,
    /// How long a client may take to send the next piece of a request's body. Default: 60 s.
    pub body_timeout: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            max_connections: 16 * 1024,
            header_timeout: Duration::from_secs(10),
            header_bytes: 64 * 1024,
            keepalive_timeout: Duration::from_mins(1),
            body_timeout: Duration::from_mins(1),
        }
    }
}
