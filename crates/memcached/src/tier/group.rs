//! The head item of a group: read, and replaced by compare-and-swap.

use std::sync::Arc;

use bytes::Bytes;
use terrace_core::{ErrorKind, KeyDigest, Result};

use super::head::{Head, Token};
use crate::error::Op;
use crate::link::{Cause, Failure, Link, Reply, Session};
use crate::protocol::{Code, Command, Condition, OnMiss, Ttl};

/// The way to one group's head.
pub(super) struct Group<'a> {
    pub(super) link: &'a Link,
    pub(super) digest: KeyDigest,
    /// The name of the head item.
    pub(super) name: String,
}

/// A head item, as it was at one moment.
#[derive(Debug)]
pub(super) struct Found {
    /// Nothing for a lease, and for what does not count or cannot be read.
    pub(super) head: Option<Head>,
    /// What a fence taken now stands for.
    pub(super) token: Token,
    cas: u64,
    session: Arc<Session>,
}

/// How a swap ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Swap {
    Done,
    /// Another came first, or the item is gone.
    Conflict,
}

impl Found {
    /// A head without objects, under the same fence, in the present era.
    pub(super) fn empty_head(&self) -> Head {
        Head::new(self.session.epoch, self.session.era, self.token)
    }
}

impl Group<'_> {
    /// The head item; nothing if there is none.
    pub(super) async fn read(&self, op: Op) -> Result<Option<Found>> {
        let on_miss = OnMiss::Nothing;
        let name = self.name.clone();
        self.found(op, Command::Get { name, on_miss }).await
    }

    /// The same, without a trace.
    pub(super) async fn peek(&self, op: Op) -> Result<Option<Found>> {
        let name = self.name.clone();
        self.found(op, Command::Peek { name }).await
    }

    /// The head item, or a lease for `ttl` in its place.
    pub(super) async fn read_or_lease(&self, op: Op, ttl: Ttl) -> Result<Found> {
        let on_miss = OnMiss::Lease(ttl);
        let name = self.name.clone();
        let found = self.found(op, Command::Get { name, on_miss }).await?;
        found.ok_or_else(|| op.unexpected(self.link.address()))
    }

    /// Replaces what was found by `head`.
    pub(super) async fn replace(
        &self,
        op: Op,
        found: &Found,
        mut head: Head,
        ttl: Ttl,
    ) -> Result<Swap> {
        // It is this process's list of servers that it was written under.
        (head.epoch, head.era) = (found.session.epoch, found.session.era);
        let store = Command::Store {
            name: self.name.clone(),
            value: head.encode(self.digest),
            ttl,
            condition: Condition::Cas(found.cas),
        };
        self.swap(op, found, store).await
    }

    /// Removes what was found.
    pub(super) async fn remove(&self, op: Op, found: &Found) -> Result<Swap> {
        let name = self.name.clone();
        let cas = Some(found.cas);
        self.swap(op, found, Command::Delete { name, cas }).await
    }

    /// Removes whatever is there.
    pub(super) async fn remove_all(&self, op: Op) -> Result<()> {
        let name = self.name.clone();
        let reply = self.link.call(Command::Delete { name, cas: None }).await;
        match self.reply(op, reply)?.answer.code {
            Code::Done | Code::NotFound => Ok(()),
            _ => Err(op.unexpected(self.link.address())),
        }
    }

    async fn found(&self, op: Op, command: Command) -> Result<Option<Found>> {
        let reply = self.reply(op, self.link.call(command).await)?;
        let Reply { answer, session } = reply;
        if session.has_lost(self.digest) {
            let message = format!(
                "a process with another list of servers uses Memcached at {}, and by that list it has not this group: \
                 give all processes the same list, and start the others again",
                session.address()
            );
            return Err(op.new_error(ErrorKind::Unavailable, message));
        }
        match (answer.code, answer.cas) {
            (Code::Miss, _) => Ok(None),
            (Code::Value, Some(cas)) if cas != 0 => {
                Ok(Some(self.understand(answer.value, cas, session)))
            }
            _ => Err(op.unexpected(session.address())),
        }
    }

    fn understand(&self, value: Bytes, cas: u64, session: Arc<Session>) -> Found {
        let counts = |head: &Head| session.has_had(self.digest, head.epoch, head.era);
        let head = Head::decode(self.digest, value).filter(counts);
        let token = head.as_ref().map_or_else(
            // No other state of this server's memory has this CAS value, and no other memory this epoch.
            || {
                let mut token = Token::default();
                token[..8].copy_from_slice(&session.epoch.to_be_bytes());
                token[8..].copy_from_slice(&cas.to_be_bytes());
                token
            },
            |head| head.fence,
        );
        Found {
            head,
            token,
            cas,
            session,
        }
    }

    async fn swap(&self, op: Op, found: &Found, command: Command) -> Result<Swap> {
        let reply = self.link.call_in(&found.session, command).await;
        if let Err(Failure {
            cause: Cause::OtherSession,
            ..
        }) = reply
        {
            return Ok(Swap::Conflict);
        }
        match self.reply(op, reply)?.answer.code {
            Code::Done => Ok(Swap::Done),
            Code::Exists | Code::NotFound => Ok(Swap::Conflict),
            _ => Err(op.unexpected(self.link.address())),
        }
    }

    fn reply(&self, op: Op, reply: Result<Reply, Failure>) -> Result<Reply> {
        reply.map_err(|failure| op.error(self.link.address(), failure))
    }
}
