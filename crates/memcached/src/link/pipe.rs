//! Both directions of a connection in use.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};

use super::failure::{Cause, Failure};
use super::session::Session;
use super::{Plan, Reply, Request};
use crate::membership::History;
use crate::protocol::{Answer, Code, Command, Line, Reader};

/// Commands that were sent and not answered.
pub(super) const PIPELINE: usize = 128;
/// Bytes of commands that are sent at once, unless one alone is longer.
const BATCH_BYTES: usize = 64 * 1024;

/// Somebody who waits for an answer.
pub(super) struct Awaited {
    number: u32,
    by: By,
}

enum By {
    Caller(oneshot::Sender<Result<Reply, Failure>>),
    /// The owner of the connection, who keeps the server's memory of the lists alive.
    Owner,
}

/// Sends what is asked for, several commands at once where they are there. Nothing if nobody can ask any more.
pub(super) async fn send<W: AsyncWrite + Unpin>(
    plan: &Plan,
    queue: &mut mpsc::Receiver<Request>,
    session: &Session,
    mut writer: W,
    sent: mpsc::Sender<Awaited>,
    progress: &Progress,
) -> Option<Cause> {
    let mut number = 0_u32;
    let mut bytes = BytesMut::new();
    let mut refresh = plan.runtime.sleep(plan.membership.refresh);
    loop {
        let Ok(permit) = sent.reserve().await else {
            return Some(Cause::ShutDown);
        };
        let first = tokio::select! {
            biased;
            () = &mut refresh => {
                refresh = plan.runtime.sleep(plan.membership.refresh);
                Some(refreshing(plan))
            }
            request = queue.recv() => admitted(request?, session),
        };
        let mut next = first.map(|first| (permit, first));
        loop {
            if let Some((permit, (command, by))) = next.take() {
                number = number.wrapping_add(1);
                command.encode(number, &mut bytes);
                progress.sent.fetch_add(1, Ordering::Relaxed);
                permit.send(Awaited { number, by });
            }
            // What is already asked for goes along, but nobody waits for it.
            if bytes.len() >= BATCH_BYTES {
                break;
            }
            // In this order: a request that was taken is sent.
            let Ok(permit) = sent.try_reserve() else {
                break;
            };
            let Ok(request) = queue.try_recv() else { break };
            next = admitted(request, session).map(|next| (permit, next));
        }
        if let Err(error) = writer.write_all(&bytes).await {
            return Some(Cause::broken(error));
        }
        bytes.clear();
        if bytes.capacity() > 2 * BATCH_BYTES {
            bytes = BytesMut::new();
        }
    }
}

/// The request, if it is still wanted and means something in this session.
fn admitted(request: Request, session: &Session) -> Option<(Command, By)> {
    let Request {
        command,
        only_in,
        reply,
    } = request;
    if reply.is_closed() {
        return None;
    }
    if only_in.is_some_and(|number| number != session.number) {
        let _ = reply.send(Err(Failure::unsent(Cause::OtherSession)));
        return None;
    }
    Some((command, By::Caller(reply)))
}

fn refreshing(plan: &Plan) -> (Command, By) {
    let command = Command::Refresh {
        name: plan.membership.name.clone(),
        ttl: plan.membership.ttl,
    };
    (command, By::Owner)
}

/// Reads answers, and hands them to those who wait. Notices the end of a connection that nobody uses.
pub(super) async fn read<R: AsyncRead + Unpin>(
    session: &Arc<Session>,
    mut reader: Reader<R>,
    awaited: &mut mpsc::Receiver<Awaited>,
    progress: &Progress,
) -> Cause {
    loop {
        let line = match reader.line().await {
            Ok(line) => line,
            Err(error) => return error.into(),
        };
        // It is announced before the command is sent.
        let Ok(next) = awaited.try_recv() else {
            return Cause::Malformed("an answer to nothing");
        };
        progress.answered.fetch_add(1, Ordering::Relaxed);
        if let Err(cause) = next.take(line, session) {
            return cause;
        }
    }
}

impl Awaited {
    pub(super) fn fail(self, cause: &Cause) {
        if let By::Caller(reply) = self.by {
            let _ = reply.send(Err(Failure::sent(cause.clone())));
        }
    }

    /// Errors if the connection is of no use after that.
    fn take(self, line: Line, session: &Arc<Session>) -> Result<(), Cause> {
        match line {
            Line::Answer(answer) if answer.number.is_none_or(|number| number == self.number) => {
                self.answer(answer, session)
            }
            // It did not do it, and waits for the next command.
            Line::ServerError(text) => {
                if let By::Caller(reply) = self.by {
                    let _ = reply.send(Err(Failure::unsent(Cause::ServerError(text))));
                }
                Ok(())
            }
            // What it takes for the next command is not known.
            Line::ClientError(text) => self.end(Cause::ClientError(text)),
            Line::Answer(_) => self.end(Cause::Malformed("the answer to another command")),
            Line::Setting(..) | Line::End => {
                self.end(Cause::Malformed("a setting nobody asked for"))
            }
        }
    }

    fn answer(self, answer: Answer, session: &Arc<Session>) -> Result<(), Cause> {
        match self.by {
            By::Caller(reply) => {
                let session = Arc::clone(session);
                // Whoever asked may have left.
                let _ = reply.send(Ok(Reply { answer, session }));
                Ok(())
            }
            By::Owner => {
                let history = (answer.code == Code::Value).then(|| History::decode(&answer.value));
                session.renew(history.flatten())
            }
        }
    }

    fn end(self, cause: Cause) -> Result<(), Cause> {
        self.fail(&cause);
        Err(cause)
    }
}

/// How many commands were sent and answered.
#[derive(Debug, Default)]
pub(super) struct Progress {
    sent: AtomicU64,
    answered: AtomicU64,
}

impl Progress {
    /// How many were answered, while an answer is owed.
    fn owed(&self) -> Option<u64> {
        let answered = self.answered.load(Ordering::Relaxed);
        (self.sent.load(Ordering::Relaxed) > answered).then_some(answered)
    }
}

/// Ends when an answer is owed and none comes. Callers do not notice it who wait for less than that.
pub(super) async fn watch(plan: &Plan, progress: &Progress) -> Cause {
    loop {
        let before = progress.owed();
        plan.runtime.sleep(plan.response_timeout).await;
        if before.is_some() && progress.owed() == before {
            return Cause::Timeout;
        }
    }
}
