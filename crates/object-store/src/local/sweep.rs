use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;
use std::time::Duration;

use terrace_core::{Clock as _, Result, SystemClock, Timestamp};

use super::walk::Walk;
use crate::layout::parse_file_name;

/// Removes half-written files: all of them, or those that were not written to for `stale_after`. Says how many.
///
/// Touches no file that does not bear the name of a body of ours.
pub(super) fn sweep(root: &Path, stale_after: Option<Duration>) -> Result<u64> {
    // Compared with times the file system took from the same clock.
    let cut_off = stale_after.map(|age| SystemClock.now().before(age));
    let mut removed = 0;
    for entry in Walk::new(root) {
        let entry = entry?;
        if is_staging(&entry) && is_stale(&entry, cut_off) {
            removed += u64::from(remove(&entry));
        }
    }
    if removed > 0 {
        let root = root.display();
        tracing::info!(%root, removed, "removed what killed processes left half-written");
    }
    Ok(removed)
}

/// Whether it is what `LocalFileSystem` calls a body that it is writing: `<name>#<number>`.
fn is_staging(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let Some((name, number)) = name.to_str().and_then(|name| name.split_once('#')) else {
        return false;
    };
    parse_file_name(name).is_some()
        && !number.is_empty()
        && number.bytes().all(|digit| digit.is_ascii_digit())
}

fn is_stale(entry: &DirEntry, cut_off: Option<Timestamp>) -> bool {
    let Some(cut_off) = cut_off else {
        return true;
    };
    // One that vanishes meanwhile was finished, or removed.
    let modified = entry.metadata().and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| Timestamp::from(modified) < cut_off)
}

fn remove(entry: &DirEntry) -> bool {
    match fs::remove_file(entry.path()) {
        Ok(()) => true,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                let path = entry.path();
                tracing::warn!(path = %path.display(), %error, "cannot remove a half-written file");
            }
            false
        }
    }
}
