//! Calls that cross the network: as bytes go there and come back, calls and answers do, which stay in this process.

use std::any::Any;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use parking_lot::Mutex;
use terrace_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Flaw;

/// How long a call may take.
const DEADLINE: Duration = Duration::from_secs(1);
/// Bytes of an answer.
const ANSWER: usize = 1_000;
/// Calls at a time.
const PLACES: usize = 64;

type Answer = Box<dyn Any + Send>;
type Call<S> = Box<dyn FnOnce(Arc<S>) -> BoxFuture<'static, Answer> + Send>;

/// What runs the calls when their bytes arrive.
pub(super) struct Server<S> {
    model: Arc<S>,
    address: SocketAddr,
    calls: Mutex<HashMap<u64, Call<S>>>,
    answers: Mutex<HashMap<u64, Answer>>,
    serving: Mutex<JoinSet<()>>,
}

impl<S: Send + Sync + 'static> Server<S> {
    pub(super) async fn start(model: S) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Arc::new(Self {
            model: Arc::new(model),
            address: listener.local_addr().unwrap(),
            calls: Mutex::default(),
            answers: Mutex::default(),
            serving: Mutex::default(),
        });
        let weak = Arc::downgrade(&server);
        server.serving.lock().spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let Some(server) = weak.upgrade() else { return };
                connections.spawn(async move { drop(server.serve(stream).await) });
            }
        });
        server
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    async fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        loop {
            let id = read_frame(&mut stream).await?;
            let call = self.calls.lock().remove(&id);
            if let Some(call) = call {
                let answer = call(Arc::clone(&self.model)).await;
                self.answers.lock().insert(id, answer);
            }
            write_frame(&mut stream, id, ANSWER).await?;
        }
    }
}

/// A frame is a number, a length, and so many bytes.
async fn write_frame(stream: &mut TcpStream, id: u64, len: usize) -> io::Result<()> {
    let mut frame = vec![0; 16 + len];
    frame[..8].copy_from_slice(&id.to_be_bytes());
    frame[8..16].copy_from_slice(&(len as u64).to_be_bytes());
    stream.write_all(&frame).await
}

async fn read_frame(stream: &mut TcpStream) -> io::Result<u64> {
    let id = stream.read_u64().await?;
    let len = stream.read_u64().await?;
    let mut rest = vec![0; usize::try_from(len).unwrap()];
    stream.read_exact(&mut rest).await?;
    Ok(id)
}

/// The client of a [`Server`].
pub(super) struct Remote<S>(pub(super) Arc<Client<S>>);

pub(super) struct Client<S> {
    proxy: SocketAddr,
    server: Arc<Server<S>>,
    pool: Mutex<Vec<TcpStream>>,
    places: Semaphore,
    numbers: AtomicU64,
    flaw: Flaw,
}

impl<S: Send + Sync + 'static> Remote<S> {
    pub(super) fn new(proxy: SocketAddr, server: Arc<Server<S>>, flaw: Flaw) -> Self {
        Self(Arc::new(Client {
            proxy,
            server,
            pool: Mutex::default(),
            places: Semaphore::new(PLACES),
            numbers: AtomicU64::new(1),
            flaw,
        }))
    }
}

impl<S: Send + Sync + 'static> Client<S> {
    /// Has the server run `run`. `nothing` is what one says who takes the end of a connection for an answer.
    pub(super) async fn read<R: Send + 'static>(
        &self,
        nothing: R,
        run: impl Fn(Arc<S>) -> BoxFuture<'static, Result<R>> + Clone + Send + 'static,
    ) -> Result<R> {
        match self.exchange(100, run).await {
            Err(_) if self.flaw == Flaw::EndIsNothing => Ok(nothing),
            Err(error) => Err(self.error(&error)),
            Ok(answer) => answer,
        }
    }

    /// As [`read`](Self::read), with a request of `len` bytes that changes something. `done` is what one says who does not
    /// wait for the answer.
    pub(super) async fn write<R: Send + 'static>(
        &self,
        len: usize,
        done: R,
        run: impl Fn(Arc<S>) -> BoxFuture<'static, Result<R>> + Clone + Send + 'static,
    ) -> Result<R> {
        let mut answer = self.exchange(len, run.clone()).await;
        if answer.is_err() && self.flaw == Flaw::RepeatsWrites {
            answer = self.exchange(len, run).await;
        }
        match answer {
            Err(_) if self.flaw == Flaw::DoesNotWait => Ok(done),
            Err(error) if self.flaw == Flaw::LostAnswerIsRefusal => Err(self.error(&error)),
            Err(error) => Err(self.error(&error).maybe_applied()),
            Ok(answer) => answer,
        }
    }

    fn error(&self, error: &io::Error) -> Error {
        let kind = match self.flaw {
            Flaw::GivesUp => ErrorKind::Internal,
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, "remote.call", error.to_string())
    }

    async fn exchange<R: Send + 'static>(
        &self,
        len: usize,
        run: impl Fn(Arc<S>) -> BoxFuture<'static, Result<R>> + Send + 'static,
    ) -> io::Result<Result<R>> {
        let id = self.numbers.fetch_add(1, Ordering::Relaxed);
        let call: Call<S> = Box::new(move |model| {
            let running = run(model);
            Box::pin(async move { Box::new(running.await) as Answer })
        });
        self.server.calls.lock().insert(id, call);
        let there_and_back = self.there_and_back(id, len);
        if self.flaw == Flaw::NoDeadline {
            there_and_back.await?;
        } else {
            timeout(DEADLINE, there_and_back).await??;
        }
        let answer = self.server.answers.lock().remove(&id);
        let answer = answer.and_then(|answer| answer.downcast().ok());
        Ok(*answer.unwrap_or_else(|| panic!("call {id} has no answer of its kind")))
    }

    async fn there_and_back(&self, id: u64, len: usize) -> io::Result<()> {
        let place = self.places.acquire().await.unwrap();
        if self.flaw == Flaw::LeaksOnDrop {
            place.forget();
        }
        let pooled = self.pool.lock().pop();
        let mut stream = match pooled {
            Some(stream) => stream,
            None => TcpStream::connect(self.proxy).await?,
        };
        let exchanged = async {
            write_frame(&mut stream, id, len).await?;
            while read_frame(&mut stream).await? != id {}
            Ok(())
        };
        let exchanged = exchanged.await;
        if exchanged.is_ok() || self.flaw == Flaw::KeepsBroken {
            self.pool.lock().push(stream);
        }
        if self.flaw == Flaw::LeaksOnDrop {
            self.places.add_permits(1);
        }
        exchanged
    }
}
