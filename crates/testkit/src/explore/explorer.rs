use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use parking_lot::Mutex;
use terrace_core::{Clock, Random, Runtime, Timestamp};

use super::schedule::ActorId;
use super::timers::{Sleep, Timers};
use crate::ports::SeededRandom;

/// The ports of a system that is being [explored](super::explore): its runtime, its clock and its random
/// numbers. Clones are the same explorer.
///
/// - [`Runtime::spawn`] makes a new actor. Unlike those of the [`Scenario`](super::Scenario) it need not come to
///   an end; what is left of it is dropped after the check, as a runtime that shuts down does.
/// - [`Runtime::sleep`] completes only when no actor can run and one of the scenario's still has to: virtual time
///   then jumps to the earliest deadline. A timeout fires exactly where the system is otherwise stuck.
/// - [`Clock`] shows virtual time, from a fixed moment in 2033 on.
/// - [`Random`] draws the same numbers in every run.
#[derive(Clone)]
pub struct Explorer {
    shared: Arc<Shared>,
}

struct Shared {
    timers: Arc<Timers>,
    random: SeededRandom,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    spawned: Vec<BoxFuture<'static, ()>>,
    /// Spawned tasks that have not ended.
    tasks: usize,
    /// Nothing is spawned any more.
    over: bool,
    trace: Vec<Event>,
}

/// What happened, for the report.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    Turn(ActorId),
    Does(Label),
    Waits,
    Ends,
    TimePasses,
}

/// Names a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Label {
    pub(super) place: &'static str,
    pub(super) what: &'static str,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            "" => f.write_str(self.what),
            place => write!(f, "{place}: {}", self.what),
        }
    }
}

impl Explorer {
    pub(super) fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                timers: Arc::default(),
                random: SeededRandom::new(0),
                state: Mutex::default(),
            }),
        }
    }

    /// Yields: from here, any other actor that can run may run first. `label` names what comes next.
    ///
    /// All steps that one actor waits for at the same time, in a `join!` for example, are taken as one. An actor
    /// that takes steps until others have done something is endless in the schedule that always chooses it: let it
    /// wait for a channel instead.
    pub fn step(&self, label: &'static str) -> impl Future<Output = ()> + Send + use<> {
        self.step_at("", label)
    }

    /// Tasks spawned through the [`Runtime`] port that have not ended.
    pub fn tasks(&self) -> usize {
        self.shared.state.lock().tasks
    }

    pub(super) fn step_at(&self, place: &'static str, what: &'static str) -> Step {
        Step {
            explorer: self.clone(),
            label: Label { place, what },
            yielded: false,
        }
    }

    pub(super) fn note(&self, event: Event) {
        self.shared.state.lock().trace.push(event);
    }

    pub(super) fn trace(&self) -> Vec<Event> {
        self.shared.state.lock().trace.clone()
    }

    pub(super) fn take_spawned(&self) -> Vec<BoxFuture<'static, ()>> {
        mem::take(&mut self.shared.state.lock().spawned)
    }

    pub(super) fn task_ended(&self) {
        self.shared.state.lock().tasks -= 1;
    }

    /// Lets time pass until somebody's deadline; false if there is none.
    pub(super) fn let_time_pass(&self) -> bool {
        let fired = self.shared.timers.fire();
        if fired {
            self.note(Event::TimePasses);
        }
        fired
    }

    /// From now on what is spawned is dropped, and so is what was not taken yet.
    pub(super) fn end(&self) {
        self.shared.state.lock().over = true;
        // Dropped without the lock: it may hold this explorer.
        drop(self.take_spawned());
    }
}

impl Runtime for Explorer {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        let mut state = self.shared.state.lock();
        if !state.over {
            state.spawned.push(task);
            state.tasks += 1;
        }
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(Sleep::new(&self.shared.timers, duration))
    }
}

impl Clock for Explorer {
    fn now(&self) -> Timestamp {
        self.shared.timers.now()
    }
}

impl Random for Explorer {
    fn next_u64(&self) -> u64 {
        self.shared.random.next_u64()
    }
}

impl fmt::Debug for Explorer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explorer")
            .field("now", &self.now())
            .field("tasks", &self.tasks())
            .finish_non_exhaustive()
    }
}

/// Pending once, and ready when the actor has its next turn.
pub(super) struct Step {
    explorer: Explorer,
    label: Label,
    yielded: bool,
}

impl Future for Step {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            self.explorer.note(Event::Does(self.label));
            return Poll::Ready(());
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
