use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use terrace_core::{Error, ErrorKind, Result};

use super::{OPEN, failed};

/// Takes the lock of a directory and does `start`, telling it whether we are alone. Returns the lock, shared.
///
/// Every process writes only while it holds the lock shared. Whoever holds it exclusively therefore knows that no
/// unfinished file belongs to anybody alive. The step from exclusive to shared is not atomic: another
/// start may slip in between and find itself alone, too. It is right, for we have not written yet, and
/// we wait until it is done.
pub(super) fn open<T>(path: &Path, start: impl FnOnce(bool) -> Result<T>) -> Result<(File, T)> {
    let options = || {
        File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
    };
    let lock = options().map_err(|e| failed("cannot open", path, e))?;
    match lock.try_lock() {
        Ok(()) => {
            let started = start(true)?;
            lock.unlock().map_err(|e| no_lock(path, e))?;
            share(&lock, path)?;
            Ok((lock, started))
        }
        Err(TryLockError::WouldBlock) => {
            share(&lock, path)?;
            let started = start(false)?;
            Ok((lock, started))
        }
        Err(TryLockError::Error(e)) => Err(no_lock(path, e)),
    }
}

/// Waits at most while other processes start.
fn share(lock: &File, path: &Path) -> Result<()> {
    loop {
        match lock.lock_shared() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(no_lock(path, e)),
            Ok(()) => return Ok(()),
        }
    }
}

fn no_lock(path: &Path, error: io::Error) -> Error {
    let path = path.display();
    let message =
        format!("cannot lock {path}: use a file system with advisory locks (a local one)");
    Error::new(ErrorKind::Unsupported, OPEN, message).with_source(error)
}
