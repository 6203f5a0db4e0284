//! A header that is cheap to clone: two clones of it are most of what a hit in memory costs.

use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use pingora_error::Result;
use pingora_http::{HeaderNameVariant, ResponseHeader};

/// Fields that a proxy is likely to add to a stored response: with room for them a clone need not grow its tables.
const ROOM: usize = 8;

/// The same header in one piece of memory.
///
/// As Pingora reads it, each name and each value is a buffer of its own, with a count of its users that every clone and
/// every drop writes to. Here they are slices of one buffer, and common names are constants, which nobody counts.
pub(super) fn lean(header: &ResponseHeader) -> ResponseHeader {
    // What cannot be built by public means stays as Pingora read it.
    rebuilt(header).unwrap_or_else(|_| header.clone())
}

fn rebuilt(header: &ResponseHeader) -> Result<ResponseHeader> {
    let fields = Some(header.headers.len() + ROOM);
    let mut lean = if header.has_case() {
        ResponseHeader::build(header.status, fields)?
    } else {
        ResponseHeader::build_no_case(header.status, fields)?
    };
    lean.set_version(header.version);
    lean.set_reason_phrase(header.get_reason_phrase())?;

    let mut buffer = Buffer::for_fields_of(header)?;
    header.map(|name, value| {
        let name = spelled(&name);
        let name = common(name).unwrap_or_else(|| buffer.copy(name));
        let value = match HeaderValue::from_maybe_shared(buffer.copy(value.as_bytes())) {
            Ok(copy) if !value.is_sensitive() => copy,
            _ => value.clone(),
        };
        lean.append_header(name, value).map(drop)
    })?;
    Ok(lean)
}

/// One piece of memory, handed out in slices.
struct Buffer(BytesMut);

impl Buffer {
    fn for_fields_of(header: &ResponseHeader) -> Result<Self> {
        let mut bytes = 0;
        header.map(|name, value| {
            let name = spelled(&name);
            bytes += value.len() + common(name).map_or(name.len(), |_| 0);
            Ok(())
        })?;
        Ok(Self(BytesMut::with_capacity(bytes)))
    }

    fn copy(&mut self, bytes: &[u8]) -> Bytes {
        self.0.extend_from_slice(bytes);
        self.0.split().freeze()
    }
}

fn spelled<'a>(name: &'a HeaderNameVariant<'_>) -> &'a [u8] {
    match name {
        HeaderNameVariant::Case(name) => name.as_slice(),
        HeaderNameVariant::Titled(name) => name.as_bytes(),
    }
}

/// A name as most origins spell it.
fn common(name: &[u8]) -> Option<Bytes> {
    const COMMON: [&str; 32] = [
        "Accept-Ranges",
        "Access-Control-Allow-Origin",
        "Age",
        "Alt-Svc",
        "Cache-Control",
        "Connection",
        "Content-Disposition",
        "Content-Encoding",
        "Content-Language",
        "Content-Length",
        "Content-Location",
        "Content-Security-Policy",
        "Content-Type",
        "Cross-Origin-Resource-Policy",
        "Date",
        "ETag",
        "Etag",
        "Expires",
        "Last-Modified",
        "Link",
        "Location",
        "Pragma",
        "Referrer-Policy",
        "Server",
        "Set-Cookie",
        "Strict-Transport-Security",
        "Transfer-Encoding",
        "Vary",
        "Via",
        "X-Cache",
        "X-Content-Type-Options",
        "X-Frame-Options",
    ];
    let found = COMMON.into_iter().find(|it| it.as_bytes() == name)?;
    Some(Bytes::from_static(found.as_bytes()))
}
