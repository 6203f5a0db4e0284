use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::ports::SeededRandom;
use door::{Door, serve};
use meter::Meter;

mod connection;
mod door;
mod lane;
mod meter;

/// A TCP proxy on loopback that disturbs what passes: what stands between an adapter and its server when the network is bad.
///
/// Without a fault it passes everything on, ends included, and with little delay. Faults are switched while connections are
/// open, for each direction by itself, and count from the moment they are switched on. Dropping it ends all: the
/// port, and every connection with a reset.
///
/// ```
/// use terrace_testkit::{FaultProxy, Towards, WireFault};
///
/// # async fn example() -> std::io::Result<()> {
/// let server = "127.0.0.1:6379".parse().unwrap();
/// let proxy = FaultProxy::to(server).await?;
/// let url = format!("redis://{}", proxy.address());
///
/// // Every answer breaks off somewhere in its first kilobyte.
/// proxy.set(Towards::Client, WireFault::Reset(0..=1000));
/// // Nothing passes, and nobody is told.
/// proxy.silence();
/// // All is well again.
/// proxy.heal().await;
/// # drop(url);
/// # Ok(()) }
/// ```
///
/// # Bounds
///
/// At most 1,024 connections; the next one waits to be accepted. Each holds at most half a MiB of what is under way.
pub struct FaultProxy {
    address: SocketAddr,
    switches: watch::Sender<Switches>,
    /// What the door is, in fact.
    door: watch::Receiver<Door>,
    meter: Arc<Meter>,
    /// The one task that holds all others.
    _serving: JoinSet<()>,
}

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Towards {
    /// Requests.
    Server,
    /// Answers.
    Client,
}

/// What happens to the bytes of one direction, on each connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum WireFault {
    /// They pass.
    #[default]
    None,
    /// They come later, by a random time out of these, in their order.
    Latency(RangeInclusive<Duration>),
    /// At most so many of them pass in a second.
    Throttle(u64),
    /// After a random number of them out of these the connection is reset, on both sides (RST, not FIN).
    Reset(RangeInclusive<u64>),
    /// After so many of them this direction ends as if its sender had ended it (FIN); the other one goes on.
    HalfClose(u64),
    /// None of them passes, and nobody is told, until another fault is set.
    Silence,
}

/// What is asked of a proxy.
#[derive(Debug, Clone, Default)]
struct Switches {
    door: Door,
    to_server: Switch,
    to_client: Switch,
    /// How often all connections were to be reset.
    resets: u64,
}

#[derive(Debug, Clone, Default)]
struct Switch {
    fault: WireFault,
    /// How often it was set.
    number: u64,
}

impl Switches {
    fn of(&self, towards: Towards) -> &Switch {
        match towards {
            Towards::Server => &self.to_server,
            Towards::Client => &self.to_client,
        }
    }

    fn set(&mut self, towards: Towards, fault: WireFault) {
        let switch = match towards {
            Towards::Server => &mut self.to_server,
            Towards::Client => &mut self.to_client,
        };
        switch.fault = fault;
        switch.number += 1;
    }
}

impl FaultProxy {
    /// A proxy in front of `server`, on a free port of loopback. Its random numbers are those of seed 0.
    ///
    /// Its tasks run on the runtime this is called on. Errors if no port can be had.
    pub async fn to(server: SocketAddr) -> io::Result<Self> {
        Self::seeded(server, 0).await
    }

    /// As [`to`](Self::to), with a network that is slow: requests come up to a millisecond later, and 50 MB of answers pass
    /// in a second.
    pub async fn slow_to(server: SocketAddr) -> io::Result<Self> {
        let proxy = Self::to(server).await?;
        let latency = Duration::ZERO..=Duration::from_millis(1);
        proxy.set(Towards::Server, WireFault::Latency(latency));
        proxy.set(Towards::Client, WireFault::Throttle(50_000_000));
        Ok(proxy)
    }

    /// As [`to`](Self::to), with random numbers of `seed`.
    pub async fn seeded(server: SocketAddr, seed: u64) -> io::Result<Self> {
        let port = door::Port::reserve((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = port.address();
        let switches = watch::Sender::new(Switches::default());
        let (shown, mut door) = watch::channel(Door::Refuses);
        let meter = Arc::new(Meter::default());
        let way = connection::Way {
            server,
            switches: switches.subscribe(),
            meter: Arc::clone(&meter),
            random: Arc::new(SeededRandom::new(seed)),
        };
        let mut serving = JoinSet::new();
        serving.spawn(serve(port, way, shown));
        // The sender ends with the task, which ends when it cannot listen.
        door.wait_for(|door| *door == Door::Open)
            .await
            .map_err(|_| io::Error::other(format!("cannot listen on {address}")))?;
        Ok(Self {
            address,
            switches,
            door,
            meter,
            _serving: serving,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, `fault` happens to what passes in this direction, instead of what was set before.
    pub fn set(&self, towards: Towards, fault: WireFault) {
        self.switches
            .send_modify(|switches| switches.set(towards, fault));
    }

    /// Sets `fault` in both directions.
    pub fn set_both(&self, fault: &WireFault) {
        self.switches.send_modify(|switches| {
            switches.set(Towards::Server, fault.clone());
            switches.set(Towards::Client, fault.clone());
        });
    }

    /// Nothing passes any more in either direction, on connections old and new, and nobody is told: a cable that is cut.
    pub fn silence(&self) {
        self.set_both(&WireFault::Silence);
    }

    /// Connections to come are accepted, and nothing is ever answered on them. Those there are go on.
    pub fn black_hole(&self) {
        self.switches
            .send_modify(|switches| switches.door = Door::BlackHole);
    }

    /// Connections to come are refused. Returns when they are. Those there are go on.
    pub async fn refuse(&self) {
        self.open(Door::Refuses).await;
    }

    /// All connections there are, are reset.
    pub fn reset(&self) {
        self.switches.send_modify(|switches| switches.resets += 1);
    }

    /// The faults stop: connections are accepted, and what passes is left alone. What a fault has already done to a
    /// connection stays. Returns when connections are accepted.
    pub async fn heal(&self) {
        self.set_both(&WireFault::None);
        self.open(Door::Open).await;
    }

    async fn open(&self, door: Door) {
        self.switches.send_modify(|switches| switches.door = door);
        let mut shown = self.door.clone();
        // It fails only if the port was lost meanwhile: then whoever connects is told.
        let _ = shown.wait_for(|now| *now == door).await;
    }

    /// How many connections were accepted.
    pub fn accepted(&self) -> u64 {
        self.meter.accepted()
    }

    /// How often something was asked after something had been answered, or for the first time, over all connections: the
    /// number of round trips, of a client that waits for each answer. What is sent in one go counts once.
    pub fn turns(&self) -> u64 {
        self.meter.turns()
    }

    /// How many bytes came in, to be passed on in this direction.
    pub fn bytes(&self, towards: Towards) -> u64 {
        self.meter.bytes(towards)
    }
}

impl fmt::Debug for FaultProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultProxy")
            .field("address", &self.address)
            .field("switches", &*self.switches.borrow())
            .field("accepted", &self.accepted())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
