use parking_lot::Mutex;
use tokio::sync::Notify;

/// Lines that wait to be written, up to a number of bytes.
#[derive(Debug)]
pub(super) struct Queue {
    max_bytes: usize,
    waiting: Mutex<Lines>,
    came: Notify,
}

/// Whole lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) bytes: Vec<u8>,
    pub(super) count: u64,
}

impl Queue {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            waiting: Mutex::default(),
            came: Notify::new(),
        }
    }

    /// Adds a line, if there is room: `false` if not. The lock is held only for copying a line, or for taking all.
    pub(super) fn push(&self, line: &[u8]) -> bool {
        {
            let mut waiting = self.waiting.lock();
            if waiting.bytes.len() + line.len() > self.max_bytes {
                return false;
            }
            waiting.bytes.extend_from_slice(line);
            waiting.count += 1;
        }
        self.came.notify_one();
        true
    }

    pub(super) fn take(&self) -> Lines {
        std::mem::take(&mut *self.waiting.lock())
    }

    /// Waits for a line, or remembers one that came meanwhile.
    pub(super) async fn came(&self) {
        self.came.notified().await;
    }
}
