use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::task::JoinSet;

/// The most bytes kept of what a process writes.
const KEPT: usize = 256 * 1024;

/// What a process has written so far, or its beginning if that is a lot.
pub(crate) struct Log {
    text: Arc<Mutex<Vec<u8>>>,
    _reader: JoinSet<()>,
}

impl Log {
    pub(crate) fn of(mut pipe: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let kept = Arc::clone(&text);
        let mut reader = JoinSet::new();
        reader.spawn(async move {
            let mut buffer = vec![0; 16 * 1024];
            while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
                let mut kept = kept.lock();
                let room = read.min(KEPT - kept.len());
                kept.extend_from_slice(&buffer[..room]);
            }
        });
        Self {
            text,
            _reader: reader,
        }
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.text.lock()))
    }
}
