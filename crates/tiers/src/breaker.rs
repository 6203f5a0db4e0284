use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics::Counter;
use parking_lot::Mutex;
use terrace_core::Timestamp;

use crate::limits::BreakerLimits;

/// Whether a tier is being asked (Nygard, *Release It!*).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// It is.
    Closed,
    /// It is left alone until the cool-down is over.
    Open,
    /// One call is trying whether it is well again.
    HalfOpen,
}

impl BreakerState {
    pub(crate) const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// Its name in metrics and status documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Breaker {
    limits: BreakerLimits,
    /// Times it opened.
    trips: Counter,
    /// Whether the state is anything but a clean "closed": spares the lock on the usual path.
    troubled: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open: Option<OpenSince>,
    probing: bool,
}

#[derive(Debug, Clone, Copy)]
struct OpenSince {
    at: Timestamp,
    cooldown: Duration,
}

/// Leave to make one call. Say how it ended, or drop it when it was cut short.
#[derive(Debug)]
pub(crate) struct Permit {
    breaker: Arc<Breaker>,
    probe: bool,
}

/// How a call ended, as far as the breaker cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Well,
    Failed,
    /// It kept somebody waiting for the whole deadline: that must not happen twice (P7).
    TimedOut,
}

impl Breaker {
    pub(crate) fn new(limits: BreakerLimits, trips: Counter) -> Arc<Self> {
        Arc::new(Self {
            limits,
            trips,
            troubled: AtomicBool::new(false),
            state: Mutex::default(),
        })
    }

    /// Leave to call, or `None` while the breaker is open.
    pub(crate) fn permit(self: &Arc<Self>, now: Timestamp) -> Option<Permit> {
        if !self.troubled.load(Ordering::Acquire) {
            return Some(Permit {
                breaker: Arc::clone(self),
                probe: false,
            });
        }
        let mut state = self.state.lock();
        let probe = match state.open {
            None => false,
            Some(open) if open.cools_at(now) => return None,
            Some(_) if state.probing => return None,
            Some(_) => {
                state.probing = true;
                true
            }
        };
        drop(state);
        Some(Permit {
            breaker: Arc::clone(self),
            probe,
        })
    }

    pub(crate) fn state(&self, now: Timestamp) -> BreakerState {
        let state = self.state.lock();
        match state.open {
            None => BreakerState::Closed,
            Some(open) if open.cools_at(now) => BreakerState::Open,
            Some(_) => BreakerState::HalfOpen,
        }
    }

    fn settle(&self, verdict: Verdict, probe: bool, now: Timestamp) {
        if verdict == Verdict::Well && !probe && !self.troubled.load(Ordering::Acquire) {
            return;
        }
        let mut state = self.state.lock();
        state.probing &= !probe;
        match verdict {
            // A success that began before the breaker opened says nothing about now.
            Verdict::Well if state.open.is_some() && !probe => {}
            Verdict::Well => *state = State::default(),
            Verdict::Failed | Verdict::TimedOut => {
                state.failures = state.failures.saturating_add(1);
                let trips = verdict == Verdict::TimedOut || state.failures >= self.limits.failures;
                match state.open {
                    Some(open) if probe => state.open = Some(open.again(now, &self.limits)),
                    None if trips => {
                        self.trips.increment(1);
                        state.open = Some(OpenSince {
                            at: now,
                            cooldown: self.limits.cooldown,
                        });
                    }
                    _ => {}
                }
            }
        }
        self.troubled.store(
            state.failures > 0 || state.open.is_some(),
            Ordering::Release,
        );
    }
}

impl OpenSince {
    /// A clock that was set back counts as cooled down, not as broken for ever.
    fn cools_at(self, now: Timestamp) -> bool {
        now >= self.at && now < self.at.after(self.cooldown)
    }

    fn again(self, now: Timestamp, limits: &BreakerLimits) -> Self {
        Self {
            at: now,
            cooldown: (self.cooldown * 2).min(limits.max_cooldown),
        }
    }
}

impl Permit {
    pub(crate) fn settle(mut self, verdict: Verdict, now: Timestamp) {
        let probe = std::mem::take(&mut self.probe);
        self.breaker.settle(verdict, probe, now);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.probe {
            self.breaker.state.lock().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn fail(breaker: &Arc<Breaker>, now: u64, verdict: Verdict) {
        breaker.permit(at(now)).unwrap().settle(verdict, at(now));
    }

    #[test]
    fn opens_after_failures_and_probes_one_at_a_time() {
        let breaker = Breaker::new(BreakerLimits::default(), Counter::noop());
        (0..5).for_each(|_| fail(&breaker, 0, Verdict::Failed));
        assert!(breaker.permit(at(999)).is_none());

        let probe = breaker.permit(at(1000)).unwrap();
        assert!(breaker.permit(at(1000)).is_none(), "one probe at a time");
        probe.settle(Verdict::Failed, at(1000));
        assert!(breaker.permit(at(2999)).is_none(), "the cool-down doubled");

        breaker
            .permit(at(3000))
            .unwrap()
            .settle(Verdict::Well, at(3000));
        assert_eq!(breaker.state(at(3000)), BreakerState::Closed);
    }

    #[test]
    fn one_missed_deadline_opens_it() {
        let breaker = Breaker::new(BreakerLimits::default(), Counter::noop());
        fail(&breaker, 0, Verdict::TimedOut);
        assert!(breaker.permit(at(1)).is_none());
    }

    #[test]
    fn a_success_in_between_starts_the_count_anew() {
        let breaker = Breaker::new(BreakerLimits::default(), Counter::noop());
        for _ in 0..10 {
            (0..4).for_each(|_| fail(&breaker, 0, Verdict::Failed));
            fail(&breaker, 0, Verdict::Well);
        }
        assert_eq!(breaker.state(at(0)), BreakerState::Closed);
    }

    #[test]
    fn a_dropped_probe_frees_its_place_and_a_clock_set_back_does_not_lock_out() {
        let breaker = Breaker::new(BreakerLimits::default(), Counter::noop());
        fail(&breaker, 10_000, Verdict::TimedOut);
        drop(breaker.permit(at(20_000)).unwrap());
        drop(breaker.permit(at(20_000)).expect("the place is free again"));
        assert!(breaker.permit(at(5)).is_some());
    }
}
