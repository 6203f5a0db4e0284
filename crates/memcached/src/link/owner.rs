use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::mpsc;

use super::failure::{Cause, Failure};
use super::greeting::{Greeting, Joined};
use super::pipe::{PIPELINE, Progress, read, send, watch};
use super::session::Session;
use super::socket::{Socket, connect};
use super::{Plan, Request};
use crate::protocol::Reader;

/// How long calls fail at once after a connection could not be made. It doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The task that owns the connection.
pub(super) struct Owner {
    plan: Arc<Plan>,
    queue: mpsc::Receiver<Request>,
    joined: Option<Joined>,
}

type Halves = (
    Reader<ReadHalf<Box<dyn Socket>>>,
    WriteHalf<Box<dyn Socket>>,
);

impl Owner {
    pub(super) fn new(plan: Arc<Plan>, queue: mpsc::Receiver<Request>) -> Self {
        Self {
            plan,
            queue,
            joined: None,
        }
    }

    /// Until the link is dropped.
    pub(super) async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        for number in 1.. {
            match self.session(number).await {
                Ok((session, halves)) => {
                    pause = FIRST_PAUSE;
                    match self.serve(Arc::new(session), halves).await {
                        None => return,
                        Some(cause) => self.log("the connection ended", &cause),
                    }
                }
                Err(cause) => {
                    self.log("it cannot be used", &cause);
                    if self.refuse(pause, cause).await.is_none() {
                        return;
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    fn log(&self, what: &str, cause: &Cause) {
        tracing::debug!(server = self.plan.address, %cause, "{what}");
    }

    async fn session(&mut self, number: u64) -> Result<(Session, Halves), Cause> {
        let plan = Arc::clone(&self.plan);
        let connected = async {
            let socket = connect(&plan.address).await;
            let socket = socket.map_err(|error| Cause::Connect(Arc::new(error)))?;
            let (from, mut writer) = tokio::io::split(socket);
            let mut reader = Reader::new(from);
            let greeting = Greeting {
                plan: &plan,
                reader: &mut reader,
                writer: &mut writer,
            };
            let session = greeting.session(number, &mut self.joined).await?;
            Ok((session, (reader, writer)))
        };
        let deadline = plan.runtime.sleep(plan.connect_timeout);
        match select(std::pin::pin!(connected), deadline).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => Err(Cause::Timeout),
        }
    }

    /// Fails all calls for a while. Nothing if the link was dropped.
    async fn refuse(&mut self, pause: Duration, cause: Cause) -> Option<()> {
        let mut over = self.plan.runtime.sleep(pause);
        loop {
            tokio::select! {
                biased;
                request = self.queue.recv() => {
                    let _ = request?.reply.send(Err(Failure::unsent(cause.clone())));
                }
                () = &mut over => return Some(()),
            }
        }
    }

    /// Sends and reads until the connection is of no use any more, for the cause that is answered. Nothing if the link was
    /// dropped.
    async fn serve(&mut self, session: Arc<Session>, (reader, writer): Halves) -> Option<Cause> {
        let (sent, mut awaited) = mpsc::channel(PIPELINE);
        let progress = Progress::default();
        let cause = tokio::select! {
            biased;
            cause = read(&session, reader, &mut awaited, &progress) => Some(cause),
            cause = send(&self.plan, &mut self.queue, &session, writer, sent, &progress) => cause,
            cause = watch(&self.plan, &progress) => Some(cause),
        };
        let reason = cause.clone().unwrap_or(Cause::ShutDown);
        while let Ok(awaited) = awaited.try_recv() {
            awaited.fail(&reason);
        }
        cause
    }
}
