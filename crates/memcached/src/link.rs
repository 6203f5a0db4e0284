//! The way to one server: one connection that all callers share.

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::{Either, select};
use terrace_core::{Random, Runtime};
use tokio::sync::{mpsc, oneshot};

use crate::membership::Membership;
use crate::protocol::{Answer, Command};
use owner::Owner;

pub(crate) use failure::{Cause, Failure};
pub(crate) use session::Session;

mod failure;
mod greeting;
mod owner;
mod pipe;
mod session;
mod socket;
#[cfg(test)]
mod tests;

/// Requests that wait to be sent. More wait with their callers.
const QUEUE: usize = 256;

/// The connection belongs to a task of its own, which reads every answer: a caller may be dropped at any await, and the
/// next answer is still the next caller's. It connects when it is first used, and again, after a pause that grows, for as
/// long as the link is there; meanwhile calls fail at once. Nothing is sent twice.
pub(crate) struct Link {
    plan: Arc<Plan>,
    requests: OnceLock<mpsc::Sender<Request>>,
}

/// What a link needs to know.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) address: String,
    pub(crate) membership: Membership,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) random: Arc<dyn Random>,
}

struct Request {
    command: Command,
    /// The number of the only session in which it means something.
    only_in: Option<u64>,
    reply: oneshot::Sender<Result<Reply, Failure>>,
}

/// An answer, and the session it was given in.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) answer: Answer,
    pub(crate) session: Arc<Session>,
}

impl Link {
    /// Connects to nothing yet.
    pub(crate) fn new(plan: Plan) -> Self {
        Self {
            plan: Arc::new(plan),
            requests: OnceLock::new(),
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.plan.address
    }

    /// Begins to connect, unless it has.
    pub(crate) fn start(&self) {
        self.requests();
    }

    /// Sends one command, and waits for its answer.
    pub(crate) async fn call(&self, command: Command) -> Result<Reply, Failure> {
        self.exchange(command, None).await
    }

    /// The same, if the present session is still `session`; otherwise nothing is sent, and the failure is `OtherSession`.
    ///
    /// A server counts CAS values anew when it is restarted, and the same one may then stand for something else. A session
    /// does not outlive its server, so that a value means something in the session it was read in.
    pub(crate) async fn call_in(
        &self,
        session: &Session,
        command: Command,
    ) -> Result<Reply, Failure> {
        self.exchange(command, Some(session.number)).await
    }

    async fn exchange(&self, command: Command, only_in: Option<u64>) -> Result<Reply, Failure> {
        let (reply, answer) = oneshot::channel();
        let request = Request {
            command,
            only_in,
            reply,
        };
        let exchange = async {
            if self.requests().send(request).await.is_err() {
                return Err(Failure::unsent(Cause::ShutDown));
            }
            answer.await.unwrap_or(Err(Failure::sent(Cause::ShutDown)))
        };
        let deadline = self.plan.runtime.sleep(self.plan.response_timeout);
        match select(pin!(exchange), deadline).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => Err(Failure::sent(Cause::Timeout)),
        }
    }

    fn requests(&self) -> &mpsc::Sender<Request> {
        self.requests.get_or_init(|| {
            let (requests, queue) = mpsc::channel(QUEUE);
            let owner = Owner::new(Arc::clone(&self.plan), queue);
            self.plan.runtime.spawn(Box::pin(owner.run()));
            requests
        })
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Link").field(&self.plan.address).finish()
    }
}
