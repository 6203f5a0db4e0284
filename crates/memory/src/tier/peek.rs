use std::sync::Arc;

use terrace_core::{Key, Liveness, Peeked};

use super::object::Object;
use super::{Shared, earlier};

impl Shared {
    /// As a lookup would find it, without its marks.
    pub(super) fn peek(&self, key: &Key) -> Option<Peeked> {
        let object: Arc<Object> = self.cache.peek(key)?;
        let group_expired_at = match self.epochs.liveness(key.primary(), object.born) {
            Liveness::Live => None,
            Liveness::Stale(at) => Some(at),
            Liveness::Dead => return None,
        };
        Some(Peeked {
            generation: object.generation,
            meta: object.meta.clone(),
            expired_at: earlier(object.expired_at, group_expired_at),
            len: Some(object.body.len() as u64),
        })
    }
}
