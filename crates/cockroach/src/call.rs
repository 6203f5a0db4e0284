use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use terrace_core::Result;

use crate::ask::{Answer, Query};
use crate::error::Op;
use crate::pool::{Failure, Pool};
use crate::state::{Effect, diagnose};

/// How often a statement is sent again because others were in its way, and the first and the longest pause before.
const ATTEMPTS: usize = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// How often one that certainly had no effect is tried on another connection, where the first one broke.
const RECONNECTS: usize = 2;

impl Pool {
    /// Asks what `bind` makes, again where that cannot do it twice.
    ///
    /// A write whose outcome is unknown is not sent again: the first may still be under way.
    pub(crate) async fn call<'q>(&self, op: Op, bind: impl Fn() -> Query<'q>) -> Result<Answer> {
        let mut pauses = ExponentialBuilder::new()
            .with_min_delay(FIRST_PAUSE)
            .with_max_delay(LONGEST_PAUSE)
            .with_max_times(ATTEMPTS)
            .with_jitter()
            .build();
        let mut reconnects = 0;
        loop {
            let lease = self.acquire(op).await?;
            let error = match lease.ask(bind()).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Database(error)) => error,
                Err(Failure::Late) => return Err(op.unanswered()),
            };
            let found = diagnose(&error);
            let is_open = op.writes() && found.effect == Effect::Unknown;
            if found.effect == Effect::Again {
                match pauses.next() {
                    Some(pause) => self.runtime().sleep(pause).await,
                    None => return Err(op.error(error)),
                }
            } else if !found.is_usable && !is_open && reconnects < RECONNECTS {
                reconnects += 1;
            } else {
                return Err(op.error(error));
            }
        }
    }
}
