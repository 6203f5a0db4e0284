use std::fmt::Write as _;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

/// A request to one server.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    /// Reads an item and its CAS value.
    Get { name: String, on_miss: OnMiss },
    /// Reads an item and its CAS value, and leaves no trace.
    Peek { name: String },
    /// Reads an item, and gives it a new lifetime.
    Refresh { name: String, ttl: Ttl },
    /// Gives an item a new lifetime.
    Touch { name: String, ttl: Ttl },
    /// Stores an item.
    Store {
        name: String,
        value: Bytes,
        ttl: Ttl,
        condition: Condition,
    },
    /// Removes an item, of this CAS value if one is given.
    Delete { name: String, cas: Option<u64> },
}

/// What a read does that finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnMiss {
    Nothing,
    /// Leaves an empty item in its place, which has a CAS value: a lease.
    Lease(Ttl),
}

/// When a value is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    Always,
    /// If there is no such item.
    Absent,
    /// If the item has this CAS value.
    Cas(u64),
}

/// How long an item stays, in seconds. The server takes longer ones than 30 days as moments, by a clock that may be
/// wrong; so there are none. Zero would mean for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ttl(u32);

impl Ttl {
    const MAX_SECONDS: u32 = 30 * 24 * 60 * 60;

    /// At least `duration`, up to 30 days.
    pub(crate) fn at_least(duration: Duration) -> Self {
        // The server counts whole seconds, and the present one is one of them.
        let seconds = duration.as_secs().saturating_add(2);
        let seconds = u32::try_from(seconds).unwrap_or(Self::MAX_SECONDS);
        Self(seconds.min(Self::MAX_SECONDS))
    }
}

impl Command {
    /// Appends its bytes. The answer has `number` in it.
    pub(crate) fn encode(&self, number: u32, into: &mut BytesMut) {
        let mut line = String::with_capacity(128);
        // Writing to a string does not fail.
        let _ = match self {
            Self::Get { name, on_miss } => match on_miss {
                OnMiss::Nothing => write!(line, "mg {name} v c"),
                OnMiss::Lease(ttl) => write!(line, "mg {name} v c N{}", ttl.0),
            },
            Self::Peek { name } => write!(line, "mg {name} v c u"),
            Self::Refresh { name, ttl } => write!(line, "mg {name} v c T{}", ttl.0),
            Self::Touch { name, ttl } => write!(line, "mg {name} T{}", ttl.0),
            Self::Store {
                name,
                value,
                ttl,
                condition,
            } => {
                let condition = match condition {
                    Condition::Always => String::new(),
                    Condition::Absent => " ME".to_owned(),
                    Condition::Cas(cas) => format!(" C{cas}"),
                };
                write!(line, "ms {name} {} T{}{condition}", value.len(), ttl.0)
            }
            Self::Delete { name, cas } => match cas {
                Some(cas) => write!(line, "md {name} C{cas}"),
                None => write!(line, "md {name}"),
            },
        };
        let _ = write!(line, " O{number}\r\n");
        into.put_slice(line.as_bytes());
        if let Self::Store { value, .. } = self {
            into.put_slice(value);
            into.put_slice(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(command: &Command) -> String {
        let mut bytes = BytesMut::new();
        command.encode(7, &mut bytes);
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn commands_are_lines() {
        let name = || "n".to_owned();
        let ttl = Ttl::at_least(Duration::from_secs(8));
        let store = |condition| Command::Store {
            name: name(),
            value: Bytes::from_static(b"a\r\nb"),
            ttl,
            condition,
        };
        let lease = Command::Get {
            name: name(),
            on_miss: OnMiss::Lease(ttl),
        };
        assert_eq!(encoded(&lease), "mg n v c N10 O7\r\n");
        assert_eq!(
            encoded(&store(Condition::Always)),
            "ms n 4 T10 O7\r\na\r\nb\r\n"
        );
        assert_eq!(
            encoded(&store(Condition::Absent)),
            "ms n 4 T10 ME O7\r\na\r\nb\r\n"
        );
        assert_eq!(
            encoded(&store(Condition::Cas(3))),
            "ms n 4 T10 C3 O7\r\na\r\nb\r\n"
        );
        let delete = Command::Delete {
            name: name(),
            cas: Some(9),
        };
        assert_eq!(encoded(&delete), "md n C9 O7\r\n");
    }

    #[test]
    fn no_lifetime_is_a_moment_or_for_ever() {
        assert_eq!(Ttl::at_least(Duration::ZERO), Ttl(2));
        assert_eq!(Ttl::at_least(Duration::from_hours(24 * 30)), Ttl(2_592_000));
        assert_eq!(Ttl::at_least(Duration::MAX), Ttl(2_592_000));
    }
}
