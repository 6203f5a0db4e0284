//! How many connections there may be: no more than the process may have files open for.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use terrace::proxy::ConnectionLimits;

use super::BoxError;
use crate::cli::ConnectionArgs;

/// A connection takes a descriptor, and often another one for the origin and one for a file.
const FILES_EACH: u64 = 3;

/// The limits asked for. Raises the number of files the process may open as far as it may.
pub(super) fn limits(args: &ConnectionArgs) -> Result<ConnectionLimits, BoxError> {
    let files = open_files();
    let mut limits = ConnectionLimits::default();
    let most = usize::try_from(files / FILES_EACH).unwrap_or(usize::MAX);
    limits.max_connections = match args.max_connections {
        None => limits.max_connections.min(most.max(1)),
        Some(wanted) if wanted.get() <= most => wanted.get(),
        Some(wanted) => {
            return Err(format!(
                "--max-connections {wanted} needs {FILES_EACH} files each, and this process may open {files}: \
                 raise its limit (ulimit -n, or LimitNOFILE= of its unit), or ask for {most}"
            )
            .into());
        }
    };
    limits.header_timeout = Duration::from_secs(args.header_timeout);
    limits.header_bytes = usize::try_from(args.header_bytes)?;
    limits.keepalive_timeout = Duration::from_secs(args.keepalive_timeout);
    limits.body_timeout = Duration::from_secs(args.body_timeout);
    Ok(limits)
}

fn open_files() -> u64 {
    let now = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: now.maximum,
        ..now
    };
    // Some systems refuse the maximum they name. Then it stays as it is.
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised,
        Err(_) => now,
    };
    limit.current.unwrap_or(u64::MAX)
}
