use std::future::pending;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use futures::future::{Either, select, try_join};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::lane::{Cut, Lane};
use super::meter::{LastWord, Meter};
use super::{Switches, Towards};
use crate::ports::SeededRandom;

/// What every connection needs on its way.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) server: SocketAddr,
    pub(super) switches: watch::Receiver<Switches>,
    pub(super) meter: Arc<Meter>,
    pub(super) random: Arc<SeededRandom>,
}

impl Way {
    /// Passes on what comes on `client`, and what is answered, until both have ended, or it is reset: from this call on, and
    /// not only from when its future is polled.
    pub(super) fn pass(self, mut client: TcpStream) -> impl Future<Output = ()> {
        let resets = self.switches.borrow().resets;
        async move {
            let Ok(mut server) = TcpStream::connect(self.server).await else {
                reset(&client);
                return;
            };
            let ended = self.join(&mut client, &mut server, resets).await;
            if ended.is_err() {
                reset(&client);
                reset(&server);
            }
        }
    }
}

impl Way {
    /// Passes on what comes on both, until it ends, or there were more than so many resets.
    async fn join(
        &self,
        client: &mut TcpStream,
        server: &mut TcpStream,
        resets: u64,
    ) -> Result<(), Cut> {
        let mut switches = self.switches.clone();
        // What is delayed is delayed by a fault.
        let no_delay = client.set_nodelay(true).and(server.set_nodelay(true));
        no_delay.map_err(|_| Cut)?;
        let last = LastWord::default();
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let lane = |towards| Lane::new(towards, self, &last);
        let both = try_join(
            lane(Towards::Server).pass(from_client, to_server),
            lane(Towards::Client).pass(from_server, to_client),
        );
        let reset = async {
            if switches.wait_for(|now| now.resets != resets).await.is_err() {
                pending::<()>().await;
            }
        };
        // The reset first: what comes after it is not passed on.
        match select(pin!(reset), pin!(both)).await {
            Either::Left(_) => Err(Cut),
            Either::Right((ended, _)) => ended.map(drop),
        }
    }
}

/// Keeps a connection, and answers nothing.
pub(super) async fn swallow(stream: TcpStream) {
    pending::<()>().await;
    drop(stream);
}

/// Has the connection reset when it is dropped.
fn reset(stream: &TcpStream) {
    // One that is no connection any more needs none.
    let _ = stream.set_zero_linger();
}
