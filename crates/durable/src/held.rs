use parking_lot::Mutex;

/// What the blob store held when somebody last looked at all of it.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<Option<(u64, u64)>>);

impl Held {
    pub(crate) fn set(&self, objects: u64, bytes: u64) {
        *self.0.lock() = Some((objects, bytes));
    }

    /// Objects and bytes; `None` before the first look.
    pub(crate) fn last(&self) -> Option<(u64, u64)> {
        *self.0.lock()
    }
}
