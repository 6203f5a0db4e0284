//! One direction of a connection.

use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::try_join;
use terrace_core::Random;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::connection::Way;
use super::meter::{LastWord, Meter};
use super::{Switches, Towards, WireFault};
use crate::ports::SeededRandom;

/// Bytes read at once.
const PIECE: usize = 16 * 1024;
/// Pieces under way. It bounds what a delay can hold.
const PIECES: usize = 16;
/// Into how many parts a second of a throttled connection is divided.
const PARTS: u64 = 20;

/// The connection is to be reset.
#[derive(Debug)]
pub(super) struct Cut;

pub(super) struct Lane<'a> {
    towards: Towards,
    meter: &'a Meter,
    last: &'a LastWord,
    writer: Writer<'a>,
}

struct Piece {
    bytes: Bytes,
    came: Instant,
}

impl<'a> Lane<'a> {
    pub(super) fn new(towards: Towards, way: &'a Way, last: &'a LastWord) -> Self {
        Self {
            towards,
            meter: &way.meter,
            last,
            writer: Writer {
                towards,
                switches: way.switches.clone(),
                random: &way.random,
                number: 0,
                passed: 0,
                limit: 0,
                delivered: Instant::now(),
                is_closed: false,
            },
        }
    }

    /// Passes on what comes, its end included.
    pub(super) async fn pass(
        self,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
    ) -> Result<(), Cut> {
        let Self {
            towards,
            meter,
            last,
            mut writer,
        } = self;
        let (send, mut pieces) = mpsc::channel(PIECES);
        let reading = async move {
            loop {
                let mut bytes = BytesMut::with_capacity(PIECE);
                let len = from.read_buf(&mut bytes).await.map_err(|_| Cut)?;
                if len == 0 {
                    return Ok(());
                }
                meter.pass(towards, len, last);
                let bytes = bytes.freeze();
                let came = Instant::now();
                send.send(Piece { bytes, came }).await.map_err(|_| Cut)?;
            }
        };
        let writing = async move {
            while let Some(mut piece) = pieces.recv().await {
                while !piece.bytes.is_empty() {
                    writer.some_of(&mut piece, &mut to).await?;
                }
            }
            writer.end(&mut to).await
        };
        try_join(reading, writing).await.map(drop)
    }
}

/// Passes pieces on as the fault of the moment will have it.
struct Writer<'a> {
    towards: Towards,
    switches: watch::Receiver<Switches>,
    random: &'a SeededRandom,
    /// Which fault this is; what follows is of it alone.
    number: u64,
    /// Bytes passed since it was set.
    passed: u64,
    /// After how many of them it happens.
    limit: u64,
    /// When the last bytes came, or will come.
    delivered: Instant,
    /// Ended for good by a half-close.
    is_closed: bool,
}

impl Writer<'_> {
    /// Passes on some bytes of `piece`, or drops them, or waits.
    async fn some_of(&mut self, piece: &mut Piece, to: &mut WriteHalf<'_>) -> Result<(), Cut> {
        let fault = self.fault();
        if self.is_closed {
            piece.bytes.clear();
            return Ok(());
        }
        match fault {
            WireFault::None => self.write(piece, u64::MAX, to).await,
            WireFault::Latency(range) => {
                let range = micros(*range.start())..=micros(*range.end());
                let delay = Duration::from_micros(between(self.random, &range));
                self.delivered = self.delivered.max(piece.came + delay);
                sleep_until(self.delivered).await;
                self.write(piece, u64::MAX, to).await
            }
            WireFault::Throttle(rate) => {
                let part = (rate / PARTS).max(1);
                let part = part.min(piece.bytes.len() as u64);
                self.write(piece, part, to).await?;
                sleep(Duration::from_nanos(part * 1_000_000_000 / rate.max(1))).await;
                Ok(())
            }
            WireFault::Reset(_) => {
                self.write(piece, self.limit - self.passed, to).await?;
                if self.passed >= self.limit {
                    Err(Cut)
                } else {
                    Ok(())
                }
            }
            WireFault::HalfClose(_) => {
                self.write(piece, self.limit - self.passed, to).await?;
                if self.passed >= self.limit {
                    self.is_closed = true;
                    to.shutdown().await.map_err(|_| Cut)?;
                }
                Ok(())
            }
            WireFault::Silence => self.changed().await,
        }
    }

    /// Its sender has ended this direction.
    async fn end(&mut self, to: &mut WriteHalf<'_>) -> Result<(), Cut> {
        while self.fault() == WireFault::Silence {
            self.changed().await?;
        }
        if self.is_closed {
            return Ok(());
        }
        to.shutdown().await.map_err(|_| Cut)
    }

    /// The fault of the moment.
    fn fault(&mut self) -> WireFault {
        let switches = self.switches.borrow_and_update();
        let switch = switches.of(self.towards);
        if switch.number != self.number {
            self.number = switch.number;
            self.passed = 0;
            self.limit = match &switch.fault {
                WireFault::Reset(range) => between(self.random, range),
                WireFault::HalfClose(after) => *after,
                _ => 0,
            };
        }
        switch.fault.clone()
    }

    async fn changed(&mut self) -> Result<(), Cut> {
        self.switches.changed().await.map_err(|_| Cut)
    }

    /// Passes on at most `most` bytes of `piece`.
    async fn write(
        &mut self,
        piece: &mut Piece,
        most: u64,
        to: &mut WriteHalf<'_>,
    ) -> Result<(), Cut> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let mut part = piece.bytes.split_to(most.min(piece.bytes.len()));
        self.passed += part.len() as u64;
        to.write_all_buf(&mut part).await.map_err(|_| Cut)
    }
}

/// A random number out of `range`; its start, if it is empty.
pub(super) fn between(random: &SeededRandom, range: &RangeInclusive<u64>) -> u64 {
    let width = range.end().saturating_sub(*range.start());
    match width.checked_add(1) {
        Some(count) => range.start() + random.next_u64() % count,
        None => random.next_u64(),
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
