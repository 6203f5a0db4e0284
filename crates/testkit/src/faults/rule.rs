use std::time::Duration;

use terrace_core::ErrorKind;

use super::{Active, Effect, Faults, Op, ReadFault};

/// A rule that is being made: which calls of an operation, then what happens to them.
///
/// Calls are counted from the one that follows the making of the rule.
#[derive(Debug)]
#[must_use = "a rule without an ending does nothing: say what happens"]
pub struct Rule<'a> {
    faults: &'a Faults,
    op: Op,
    first: u64,
    last: u64,
}

impl<'a> Rule<'a> {
    pub(super) fn new(faults: &'a Faults, op: Op) -> Self {
        Self {
            faults,
            op,
            first: 1,
            last: u64::MAX,
        }
    }

    /// Only the `n`-th call; the next one is the first.
    pub fn nth(mut self, n: u64) -> Self {
        (self.first, self.last) = (n, n);
        self
    }

    /// Only the next `n` calls.
    pub fn first(mut self, n: u64) -> Self {
        (self.first, self.last) = (1, n);
        self
    }

    /// All calls after the next `n`.
    pub fn after(mut self, n: u64) -> Self {
        (self.first, self.last) = (n.saturating_add(1), u64::MAX);
        self
    }

    /// Nothing is done; the error says so.
    pub fn fail(self, kind: ErrorKind) {
        self.make(Effect::Fail(kind));
    }

    /// Nothing is done, but the error says that it may have been: the request was lost.
    pub fn lose_request(self, kind: ErrorKind) {
        self.make(Effect::LoseRequest(kind));
    }

    /// It is done, and the error says that it may have been: the answer was lost.
    pub fn lose_answer(self, kind: ErrorKind) {
        self.make(Effect::LoseAnswer(kind));
    }

    /// Nothing is done until a [`release`](Faults::release).
    pub fn hang(self) {
        self.make(Effect::HangBefore);
    }

    /// It is done, but the answer does not come until a [`release`](Faults::release).
    pub fn hang_after(self) {
        self.make(Effect::HangAfter);
    }

    /// It is done after `duration`, by tokio's clock, which a test may pause.
    pub fn delay(self, duration: Duration) {
        self.make(Effect::Delay(duration));
    }

    /// The lowest bit of the byte at `offset` of what is read is flipped: silent corruption.
    pub fn flip_bit(self, offset: u64) {
        self.make(Effect::Read(ReadFault::Flip(offset)));
    }

    /// What is read ends before `offset` as if there were no more: a lying backend. Whoever serves it on
    /// must notice (P1).
    pub fn end_early(self, offset: u64) {
        self.make(Effect::Read(ReadFault::End(offset)));
    }

    /// What is read ends before `offset` with an error: a connection that broke.
    pub fn die_at(self, offset: u64, kind: ErrorKind) {
        self.make(Effect::Read(ReadFault::Die(offset, kind)));
    }

    /// What is read stops before `offset` until a [`release`](Faults::release).
    pub fn hang_at(self, offset: u64) {
        self.make(Effect::Read(ReadFault::Hang(offset)));
    }

    fn make(self, effect: Effect) {
        let past = self.faults.calls(self.op);
        self.faults.add(Active {
            op: self.op,
            first: past.saturating_add(self.first),
            last: past.saturating_add(self.last),
            effect,
        });
    }
}
