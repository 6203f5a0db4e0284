use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use futures::future::BoxFuture;
use parking_lot::Mutex;

use super::Scenario;
use super::explorer::{Event, Explorer};
use super::report::{Failure, Reason, readable};
use super::schedule::{ActorId, Diverged, Schedules};

/// One run of a scenario, under one schedule.
pub(super) struct Run<'a> {
    explorer: &'a Explorer,
    actors: Vec<Actor>,
    check: Option<BoxFuture<'static, Result<(), String>>>,
    verdict: Arc<Mutex<Result<(), String>>>,
    max_steps: usize,
}

struct Actor {
    name: String,
    /// Whether the run waits for it to end.
    awaited: bool,
    /// `None` once it has ended.
    future: Option<BoxFuture<'static, ()>>,
    runnable: Arc<Runnable>,
}

/// Set when its actor is woken, and taken when it is polled.
struct Runnable(AtomicBool);

impl Wake for Runnable {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl<'a> Run<'a> {
    pub(super) fn new(explorer: &'a Explorer, scenario: Scenario, max_steps: usize) -> Self {
        let mut run = Self {
            explorer,
            actors: Vec::new(),
            check: scenario.check,
            verdict: Arc::new(Mutex::new(Ok(()))),
            max_steps,
        };
        for (name, future) in scenario.actors {
            run.add(name.into(), true, future);
        }
        run
    }

    pub(super) fn finish(mut self, schedules: &mut Schedules) -> Result<(), Failure> {
        let ended = self.drive(schedules).map_err(|reason| {
            let names: Vec<_> = self.actors.iter().map(|actor| &*actor.name).collect();
            Failure {
                reason,
                schedule: readable(&self.explorer.trace(), &names),
            }
        });
        // What is left may hold the explorer, which holds what was spawned: take the cycle apart.
        self.explorer.end();
        self.actors.clear();
        ended
    }

    fn drive(&mut self, schedules: &mut Schedules) -> Result<(), Reason> {
        for _ in 0..self.max_steps {
            self.adopt_spawned();
            let runnable = self.runnable();
            if !runnable.is_empty() {
                let chosen = schedules.choose(&runnable)?;
                self.give_turn(chosen)?;
            } else if let Some(stuck) = self.stuck() {
                if !self.explorer.let_time_pass() {
                    return Err(Reason::Deadlock(stuck));
                }
            } else if let Some(check) = self.check.take() {
                let verdict = Arc::clone(&self.verdict);
                let judge = async move {
                    let result = check.await;
                    *verdict.lock() = result;
                };
                self.add("check".into(), true, Box::pin(judge));
            } else {
                schedules.run_ended()?;
                return self.verdict.lock().clone().map_err(Reason::Check);
            }
        }
        Err(Reason::Endless(self.max_steps))
    }

    fn adopt_spawned(&mut self) {
        for task in self.explorer.take_spawned() {
            let number = self.actors.iter().filter(|actor| !actor.awaited).count() + 1;
            self.add(format!("task {number}"), false, task);
        }
    }

    fn add(&mut self, name: String, awaited: bool, future: BoxFuture<'static, ()>) {
        self.actors.push(Actor {
            name,
            awaited,
            future: Some(future),
            runnable: Arc::new(Runnable(AtomicBool::new(true))),
        });
    }

    fn runnable(&self) -> Vec<ActorId> {
        let actors = self.actors.iter().enumerate();
        actors
            .filter(|(_, actor)| actor.future.is_some() && actor.runnable.0.load(Ordering::SeqCst))
            .map(|(id, _)| id)
            .collect()
    }

    /// The names of the actors that have yet to end, if there are any.
    fn stuck(&self) -> Option<Vec<String>> {
        let stuck: Vec<_> = self
            .actors
            .iter()
            .filter(|actor| actor.awaited && actor.future.is_some())
            .map(|actor| actor.name.clone())
            .collect();
        (!stuck.is_empty()).then_some(stuck)
    }

    /// Polls an actor once.
    fn give_turn(&mut self, id: ActorId) -> Result<(), Reason> {
        self.explorer.note(Event::Turn(id));
        let actor = &mut self.actors[id];
        let Some(future) = &mut actor.future else {
            return Ok(());
        };
        actor.runnable.0.store(false, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&actor.runnable));
        let poll = || future.as_mut().poll(&mut Context::from_waker(&waker));
        let polled = catch_unwind(AssertUnwindSafe(poll));
        let polled = polled.map_err(|panic| Reason::Panic(message(&*panic)))?;
        if polled.is_ready() {
            actor.future = None;
            self.explorer.note(Event::Ends);
            if !actor.awaited {
                self.explorer.task_ended();
            }
        } else if !actor.runnable.0.load(Ordering::SeqCst) {
            self.explorer.note(Event::Waits);
        }
        Ok(())
    }
}

impl From<Diverged> for Reason {
    fn from(Diverged: Diverged) -> Self {
        Self::NotDeterministic
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
        .into()
}
