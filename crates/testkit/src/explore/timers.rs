use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use terrace_core::{Clock, Timestamp};

use crate::ports::ManualClock;

/// Virtual time: it stands still while anybody can run, and jumps to the earliest deadline when nobody can.
#[derive(Debug, Default)]
pub(super) struct Timers {
    clock: ManualClock,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By deadline and, of one deadline, in the order of their first poll.
    wakers: BTreeMap<TimerId, Waker>,
    timers: u64,
}

type TimerId = (Timestamp, u64);

impl Timers {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets time pass until the earliest deadline and wakes who waits for it; false if nobody waits.
    pub(super) fn fire(&self) -> bool {
        let earliest = self.waiting.lock().wakers.pop_first();
        let Some(((deadline, _), waker)) = earliest else {
            return false;
        };
        self.clock.set(self.now().max(deadline));
        waker.wake();
        true
    }
}

/// Completes after its timer has fired.
pub(super) struct Sleep {
    timers: Arc<Timers>,
    deadline: Timestamp,
    id: Option<TimerId>,
}

impl Sleep {
    pub(super) fn new(timers: &Arc<Timers>, duration: Duration) -> Self {
        Self {
            timers: Arc::clone(timers),
            deadline: timers.now().after(duration),
            id: None,
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let timers = Arc::clone(&self.timers);
        let mut waiting = timers.waiting.lock();
        let id = match self.id {
            Some(id) if waiting.wakers.contains_key(&id) => id,
            Some(_) => return Poll::Ready(()),
            None => {
                waiting.timers += 1;
                (self.deadline, waiting.timers)
            }
        };
        self.id = Some(id);
        let replaced = waiting.wakers.insert(id, cx.waker().clone());
        drop(waiting);
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let removed = self.timers.waiting.lock().wakers.remove(&id);
            drop(removed);
        }
    }
}
