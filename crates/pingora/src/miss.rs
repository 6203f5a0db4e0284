use async_trait::async_trait;
use bytes::Bytes;
use pingora_cache::storage::streaming_write::U64WriteId;
use pingora_cache::storage::{HandleMiss, MissFinishType};
use pingora_cache::{CacheEntryId, CacheMeta};
use pingora_error::Result;
use terrace_core::Generation;
use terrace_tiers::Filling;

use crate::purge::entry_id;

/// A fill, as Pingora writes it. Never an error: one would cut the client's response short. `Filling` aborts by
/// itself when it is dropped, when a write is dropped halfway, and when the length is another than announced (P5).
pub(crate) struct FillWriter {
    filling: Filling,
    tag: U64WriteId,
    generation: Generation,
}

impl FillWriter {
    pub(crate) fn new(filling: Filling) -> Self {
        Self {
            tag: filling.id().into(),
            generation: filling.generation(),
            filling,
        }
    }
}

#[async_trait]
impl HandleMiss for FillWriter {
    async fn write_body(&mut self, data: Bytes, _eof: bool) -> Result<()> {
        if !data.is_empty() {
            self.filling.write(data).await;
        }
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<MissFinishType> {
        let written = self.filling.finish().await;
        Ok(MissFinishType::Created(
            usize::try_from(written).unwrap_or(usize::MAX),
        ))
    }

    fn streaming_write_tag(&self) -> Option<&[u8]> {
        Some(self.tag.as_bytes())
    }

    fn entry_id(&self) -> Option<CacheEntryId> {
        Some(entry_id(self.generation))
    }
}

/// The length the response announces, if it can be believed: one `Content-Length`, digits only, and no
/// `Transfer-Encoding` beside it.
pub(crate) fn announced_len(meta: &CacheMeta) -> Option<u64> {
    let headers = meta.headers();
    if headers.contains_key("transfer-encoding") {
        return None;
    }
    let mut values = headers.get_all("content-length").iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    let digits = value.as_bytes();
    // `parse` alone would also take a sign.
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use pingora_http::ResponseHeader;

    use super::*;

    fn announced(fields: &[(&'static str, &str)]) -> Option<u64> {
        let mut header = ResponseHeader::build(200, None).unwrap();
        for (name, value) in fields {
            header.append_header(*name, *value).unwrap();
        }
        let epoch = SystemTime::UNIX_EPOCH;
        announced_len(&CacheMeta::new(epoch, epoch, 0, 0, header))
    }

    #[test]
    fn one_plain_length_is_believed() {
        assert_eq!(announced(&[("Content-Length", "42")]), Some(42));
        assert_eq!(announced(&[("Content-Length", "0")]), Some(0));
        assert_eq!(announced(&[]), None);
    }

    #[test]
    fn anything_odd_is_not() {
        for odd in ["", "-1", "+1", "1, 1", "0x10", "99999999999999999999"] {
            assert_eq!(announced(&[("Content-Length", odd)]), None, "{odd:?}");
        }
        let twice = [("Content-Length", "1"), ("Content-Length", "1")];
        assert_eq!(announced(&twice), None);
        let chunked = [("Content-Length", "1"), ("Transfer-Encoding", "chunked")];
        assert_eq!(announced(&chunked), None);
    }
}
