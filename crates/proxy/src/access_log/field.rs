use http::header::{self, HeaderName};

use super::error::AccessLogError;

/// Something a line can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    Time,
    CommonTime,
    Id,
    TraceId,
    Remote,
    Method,
    Scheme,
    Host,
    Path,
    Version,
    Request,
    Status,
    Bytes,
    Duration,
    Outcome,
    Tier,
    CacheStatus,
    Reason,
    UpstreamStatus,
    Generation,
    Referer,
    UserAgent,
    Header(HeaderName),
}

/// Fields of a request that no log should have.
const SECRET: [HeaderName; 3] = [
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
];

impl Field {
    /// Those with a name of their own.
    pub(super) const NAMED: [(&'static str, Self); 22] = [
        ("time", Self::Time),
        ("time_common", Self::CommonTime),
        ("id", Self::Id),
        ("trace_id", Self::TraceId),
        ("remote", Self::Remote),
        ("method", Self::Method),
        ("scheme", Self::Scheme),
        ("host", Self::Host),
        ("path", Self::Path),
        ("version", Self::Version),
        ("request", Self::Request),
        ("status", Self::Status),
        ("bytes", Self::Bytes),
        ("duration", Self::Duration),
        ("outcome", Self::Outcome),
        ("tier", Self::Tier),
        ("cache_status", Self::CacheStatus),
        ("reason", Self::Reason),
        ("upstream_status", Self::UpstreamStatus),
        ("generation", Self::Generation),
        ("referer", Self::Referer),
        ("user_agent", Self::UserAgent),
    ];

    pub(super) fn parse(name: &str) -> Result<Self, AccessLogError> {
        let unknown = || {
            let names = Self::NAMED.iter().map(|(name, _)| format!("{{{name}}}, "));
            AccessLogError::Unknown {
                name: name.to_owned(),
                known: names.collect::<String>() + "{header:NAME}",
            }
        };
        if let Some(header) = name.strip_prefix("header:") {
            let header = header.parse().map_err(|_| unknown())?;
            if SECRET.contains(&header) {
                return Err(AccessLogError::Secret(header.to_string()));
            }
            return Ok(Self::Header(header));
        }
        let mut named = Self::NAMED.iter();
        let found = named.find(|(known, _)| *known == name);
        found.map(|(_, field)| field.clone()).ok_or_else(unknown)
    }

    /// Whether a JSON line leaves it out, because others say the same.
    pub(super) fn is_composed(&self) -> bool {
        matches!(self, Self::CommonTime | Self::Request)
    }
}
