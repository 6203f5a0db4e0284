use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// Longer than anything here takes on a slow machine: only what hangs takes longer.
pub(crate) const HANG: Duration = Duration::from_mins(2);
/// Between two looks at something that will change by itself.
const PAUSE: Duration = Duration::from_millis(20);

/// `work`, unless it hangs.
pub(crate) async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    let Ok(done) = timeout(HANG, work).await else {
        panic!("{what}: still not done after {HANG:?}");
    };
    done
}

/// Looks until it `holds`: for what happens in the background after the answer to a request.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < HANG, "{what}: still not after {HANG:?}");
        sleep(PAUSE).await;
    }
}
