//! Plays cases.

use std::time::Duration;

use futures::future::try_join_all;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::case::{Case, Step};
use crate::origin::{Origin, STEP, fields};
use crate::proxy::Proxy;
use crate::wire::{Message, Wire};

/// Longer than anything here takes on a slow machine: only what hangs takes longer.
const HANG: Duration = Duration::from_mins(1);
/// Between two looks at what happens behind a client's back.
const PAUSE: Duration = Duration::from_millis(10);

/// A proxy in front of an origin.
pub(crate) struct Stage {
    origin: Origin,
    proxy: Proxy,
    _tasks: JoinSet<()>,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let mut tasks = JoinSet::new();
        let origin = Origin::start(&mut tasks).await;
        let proxy = Proxy::start(origin.address).await;
        Self {
            origin,
            proxy,
            _tasks: tasks,
        }
    }

    pub(crate) fn log(&self) -> String {
        self.proxy.log()
    }

    /// Takes the steps one after the other, up to the first that is not as expected.
    pub(crate) async fn play(&self, number: usize, case: &Case) -> Result<(), String> {
        let path = format!("/case/{number}");
        self.origin.play(&path, case);
        for (number, step) in case.steps.iter().enumerate() {
            let clients = (0..step.clients).map(|_| self.ask(&path, number, step));
            let answered = timeout(HANG, try_join_all(clients)).await;
            let responses = match answered {
                Ok(Ok(responses)) => responses,
                Ok(Err(error)) => return Err(format!("step {number}: no response: {error}")),
                Err(_) => return Err(format!("step {number}: no response in {HANG:?}")),
            };
            let seen = self.seen(&path, number, step).await;
            for response in &responses {
                step.check(response, &seen)
                    .map_err(|why| told(number, &why, response, &seen))?;
            }
        }
        // What was asked too late to be seen above.
        for (number, step) in case.steps.iter().enumerate() {
            let times = self.origin.seen(&path, number).len();
            if step.asks().is_some_and(|it| it != times) {
                return Err(format!(
                    "step {number}: in the end the origin was asked {times} times"
                ));
            }
        }
        Ok(())
    }

    async fn ask(&self, path: &str, number: usize, step: &Step) -> std::io::Result<Message> {
        let mut wire = Wire::new(TcpStream::connect(self.proxy.address).await?);
        let Step { method, suffix, .. } = step;
        let mut head = format!("{method} {path}{suffix} HTTP/1.1\r\nhost: http.example\r\n");
        let mut headers = step.headers.clone();
        headers.push((STEP.into(), number.to_string()));
        headers.push(("connection".into(), "close".into()));
        if let Some(body) = step.body {
            headers.push(("content-length".into(), body.len().to_string()));
        }
        head.push_str(&fields(&headers));
        let body = step.body.unwrap_or("");
        wire.write(format!("{head}\r\n{body}").as_bytes()).await?;
        wire.response(method).await
    }

    /// What the origin has seen of this step, once it is as much as expected: some of it comes after the response.
    async fn seen(&self, path: &str, number: usize, step: &Step) -> Vec<Message> {
        let begun = Instant::now();
        loop {
            let seen = self.origin.seen(path, number);
            let is_all = step.asks().is_none_or(|times| seen.len() >= times);
            if is_all || begun.elapsed() > HANG {
                return seen;
            }
            sleep(PAUSE).await;
        }
    }
}

fn told(number: usize, why: &str, response: &Message, seen: &[Message]) -> String {
    format!("step {number}: {why}\nthe client got {response:?}\nthe origin saw {seen:#?}")
}
