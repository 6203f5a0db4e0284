//! What is said first on a connection.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::Plan;
use super::failure::Cause;
use super::session::Session;
use crate::membership::History;
use crate::protocol::{
    Answer, Code, Command, Condition, ITEM_OVERHEAD_BYTES, Line, MAX_VALUE_BYTES, OnMiss, Reader,
};

/// More than any version has.
const MAX_SETTINGS: usize = 1000;
/// How often the list of servers is tried to be written while other processes do.
const MAX_ATTEMPTS: usize = 16;

/// The epoch and the era in which this process joined a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Joined {
    epoch: u64,
    era: u32,
}

/// Both directions, before anybody else uses them.
pub(super) struct Greeting<'a, R, W> {
    pub(super) plan: &'a Arc<Plan>,
    pub(super) reader: &'a mut Reader<R>,
    pub(super) writer: &'a mut W,
}

impl<R, W> Greeting<'_, R, W>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    /// Whether the server is fit, and which epoch and era it is in.
    pub(super) async fn session(
        mut self,
        number: u64,
        joined: &mut Option<Joined>,
    ) -> Result<Session, Cause> {
        self.check_settings().await?;
        let (history, now) = self.join(*joined).await?;
        *joined = Some(now);
        Ok(Session::new(self.plan, number, now.era, history))
    }

    async fn check_settings(&mut self) -> Result<(), Cause> {
        self.send(b"stats settings\r\n").await?;
        for _ in 0..MAX_SETTINGS {
            match self.reader.line().await? {
                Line::End => return Ok(()),
                Line::Setting(name, value) => check_setting(&name, &value)?,
                Line::ServerError(text) => return Err(Cause::ServerError(text)),
                Line::ClientError(text) => {
                    let message = format!(
                        "it does not tell its settings ({text}): it must be Memcached 1.6 or newer itself, and no proxy"
                    );
                    return Err(Cause::Unsuitable(message));
                }
                Line::Answer(_) => return Err(Cause::Malformed("an answer to nothing")),
            }
        }
        Err(Cause::Malformed("settings without an end"))
    }

    /// Puts this process's list into the server's history, once: who comes back is not the newest.
    async fn join(&mut self, joined: Option<Joined>) -> Result<(History, Joined), Cause> {
        let membership = &self.plan.membership;
        for _ in 0..MAX_ATTEMPTS {
            let found = self
                .ask(&Command::Get {
                    name: membership.name.clone(),
                    on_miss: OnMiss::Nothing,
                })
                .await?;
            let present = (found.code == Code::Value).then(|| History::decode(&found.value));
            let present = present.flatten();
            if let (Some(history), Some(joined)) = (&present, joined)
                && history.epoch == joined.epoch
                && history.eras.iter().any(|era| era.number == joined.era)
            {
                return Ok((history.clone(), joined));
            }
            let (history, has_changed) = membership.join(present, self.plan.random.as_ref());
            if !has_changed || self.replace(&found, &history).await? {
                let last = history.eras.last().map_or(0, |era| era.number);
                let now = Joined {
                    epoch: history.epoch,
                    era: last,
                };
                return Ok((history, now));
            }
        }
        Err(Cause::ServerError(
            "the list of servers is being changed all the time".to_owned(),
        ))
    }

    /// Whether `history` was stored in the place of what was found.
    async fn replace(&mut self, found: &Answer, history: &History) -> Result<bool, Cause> {
        let condition = match (found.code, found.cas) {
            (Code::Value, Some(cas)) if cas != 0 => Condition::Cas(cas),
            (Code::Value, _) => return Err(without_cas()),
            _ => Condition::Absent,
        };
        let stored = self
            .ask(&Command::Store {
                name: self.plan.membership.name.clone(),
                value: history.encode(),
                ttl: self.plan.membership.ttl,
                condition,
            })
            .await?;
        Ok(stored.code == Code::Done)
    }

    async fn ask(&mut self, command: &Command) -> Result<Answer, Cause> {
        let mut bytes = BytesMut::new();
        command.encode(0, &mut bytes);
        self.send(&bytes).await?;
        match self.reader.line().await? {
            Line::Answer(answer) => Ok(answer),
            Line::ServerError(text) => Err(Cause::ServerError(text)),
            Line::ClientError(text) => Err(Cause::ClientError(text)),
            Line::Setting(..) | Line::End => Err(Cause::Malformed("a setting nobody asked for")),
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Cause> {
        self.writer.write_all(bytes).await.map_err(Cause::broken)
    }
}

fn check_setting(name: &str, value: &str) -> Result<(), Cause> {
    match name {
        "cas_enabled" if value != "yes" => Err(without_cas()),
        "item_size_max" => {
            let wanted = (MAX_VALUE_BYTES + ITEM_OVERHEAD_BYTES) as u64;
            if value.parse::<u64>().is_ok_and(|bytes| bytes >= wanted) {
                return Ok(());
            }
            let message = format!(
                "it takes items of {value} bytes, and {wanted} are needed: start it with a larger `-I`, or without it"
            );
            Err(Cause::Unsuitable(message))
        }
        _ => Ok(()),
    }
}

fn without_cas() -> Cause {
    Cause::Unsuitable("it has no CAS values: start it without `-C`".to_owned())
}
