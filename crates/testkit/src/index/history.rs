//! A checker of linearizability for histories of reads and compare-and-swaps of one record.
//!
//! Every update names the version it replaces, so the updates that were applied must form one chain: then the order
//! of the states is known, and what is left to check is that real time agrees with it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use libtest_mimic::Failed;
use terrace_core::{Cas, Version};

use crate::suite::{Outcome, check};

/// Orders the beginnings and ends of all calls of a trial.
#[derive(Debug, Default)]
pub(super) struct Recorder(AtomicU64);

impl Recorder {
    fn tick(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// The calls of one worker.
pub(super) struct Log {
    recorder: Arc<Recorder>,
    events: Vec<Event>,
}

#[derive(Clone, Copy)]
struct Event {
    begun: u64,
    ended: u64,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Saw(Version),
    Replaced { old: Version, new: Version },
    FoundAnother { than: Version },
}

impl Log {
    pub(super) fn new(recorder: Arc<Recorder>) -> Self {
        let events = Vec::new();
        Self { recorder, events }
    }

    pub(super) fn begin(&self) -> u64 {
        self.recorder.tick()
    }

    pub(super) fn read(&mut self, begun: u64, seen: Version) {
        self.end(begun, What::Saw(seen));
    }

    pub(super) fn update(&mut self, begun: u64, old: Version, new: Version, answer: Cas) {
        self.end(
            begun,
            match answer {
                Cas::Applied => What::Replaced { old, new },
                Cas::Conflict => What::FoundAnother { than: old },
            },
        );
    }

    fn end(&mut self, begun: u64, what: What) {
        let ended = self.recorder.tick();
        self.events.push(Event { begun, ended, what });
    }

    /// Whether all calls together could have happened one after the other, between `first` and `last`.
    pub(super) fn check(logs: Vec<Self>, first: Version, last: Version) -> Outcome {
        let events: Vec<_> = logs.into_iter().flat_map(|log| log.events).collect();
        let chain = Chain::new(&events, first, last)?;
        chain.check_each(&events)?;
        chain.check_order(&events)
    }
}

/// The states in their order, and the calls that made them.
struct Chain {
    position: HashMap<Version, usize>,
    /// Of the state at each position: when the call that made it began.
    made: Vec<u64>,
}

impl Chain {
    fn new(events: &[Event], first: Version, last: Version) -> Result<Self, Failed> {
        let mut successors = HashMap::new();
        for event in events {
            if let What::Replaced { old, new } = event.what {
                let second = successors.insert(old, (new, event.begun));
                check!(second.is_none(), "two updates replaced version {old}");
            }
        }
        let mut chain = Self {
            position: HashMap::from([(first, 0)]),
            made: vec![0],
        };
        let mut end = first;
        while let Some((next, begun)) = successors.remove(&end) {
            chain.position.insert(next, chain.made.len());
            chain.made.push(begun);
            end = next;
        }
        check!(
            successors.is_empty(),
            "{} acknowledged updates were lost: they replaced versions that were never current",
            successors.len()
        );
        check!(end == last, "the last update is not what stands in the end");
        Ok(chain)
    }

    fn position(&self, version: Version) -> Result<usize, Failed> {
        self.position
            .get(&version)
            .copied()
            .ok_or_else(|| Failed::from(format!("version {version} was seen, nobody wrote it")))
    }

    /// Nothing is seen before it was written, and nothing conflicts with what was never replaced.
    fn check_each(&self, events: &[Event]) -> Outcome {
        for event in events {
            match event.what {
                What::Saw(version) => {
                    let made = self.made[self.position(version)?];
                    check!(
                        made < event.ended,
                        "{version} was seen before it was written"
                    );
                }
                What::FoundAnother { than } => {
                    let replaced = self.made.get(self.position(than)? + 1);
                    check!(
                        replaced.is_some_and(|begun| *begun < event.ended),
                        "a conflict with {than}, which was current"
                    );
                }
                What::Replaced { .. } => {}
            }
        }
        Ok(())
    }

    /// A call that begins after another ended sees its state or a later one.
    fn check_order(&self, events: &[Event]) -> Outcome {
        let mut known = Vec::with_capacity(events.len());
        for event in events {
            let position = match event.what {
                What::Saw(version) | What::Replaced { new: version, .. } => {
                    self.position(version)?
                }
                What::FoundAnother { than } => self.position(than)? + 1,
            };
            known.push((event.ended, position));
        }
        known.sort_unstable();
        let mut newest = 0;
        for entry in &mut known {
            newest = newest.max(entry.1);
            entry.1 = newest;
        }
        for event in events {
            let What::Saw(version) = event.what else {
                continue;
            };
            let before = known.partition_point(|(ended, _)| *ended < event.begun);
            let floor = before.checked_sub(1).map_or(0, |last| known[last].1);
            check!(
                self.position(version)? >= floor,
                "a stale read: {version} was seen after a later state was known"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::version;

    fn event(begun: u64, ended: u64, what: What) -> Event {
        Event { begun, ended, what }
    }

    fn replaced(old: u64, new: u64) -> What {
        let (old, new) = (version(old), version(new));
        What::Replaced { old, new }
    }

    fn check(events: Vec<Event>, last: u64) -> Result<(), String> {
        let recorder = Arc::new(Recorder::default());
        let outcome = Log::check(vec![Log { recorder, events }], version(0), version(last));
        outcome.map_err(|failed| failed.message().unwrap_or_default().to_owned())
    }

    #[test]
    fn a_sound_history_passes() {
        let events = vec![
            event(0, 5, replaced(0, 1)),
            event(1, 2, What::Saw(version(0))),
            event(1, 4, What::Saw(version(1))),
            event(3, 7, What::FoundAnother { than: version(0) }),
            event(8, 9, replaced(1, 2)),
            event(10, 11, What::Saw(version(2))),
        ];
        check(events, 2).unwrap();
    }

    #[test]
    fn unsound_histories_are_told_apart() {
        let two_winners = vec![event(0, 1, replaced(0, 1)), event(0, 1, replaced(0, 2))];
        let lost = vec![event(0, 1, replaced(0, 1)), event(2, 3, replaced(7, 8))];
        let stale = vec![
            event(0, 1, replaced(0, 1)),
            event(2, 3, What::Saw(version(0))),
        ];
        let early = vec![
            event(0, 1, What::Saw(version(1))),
            event(2, 3, replaced(0, 1)),
        ];
        let unfounded = vec![event(0, 1, What::FoundAnother { than: version(0) })];
        let unknown = vec![event(0, 1, What::Saw(version(9)))];
        for (events, last, complaint) in [
            (two_winners, 1, "two updates"),
            (lost, 1, "lost"),
            (stale, 1, "stale read"),
            (early, 1, "before it was written"),
            (unfounded, 0, "which was current"),
            (unknown, 0, "nobody wrote it"),
        ] {
            let message = check(events, last).unwrap_err();
            assert!(message.contains(complaint), "{message}");
        }
    }
}
