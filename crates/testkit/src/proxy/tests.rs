use std::io::ErrorKind;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::*;
use crate::sample::body;

/// Sends back what comes, and the end after it. Counts what came.
struct Echo {
    address: SocketAddr,
    received: Arc<watch::Sender<usize>>,
    _serving: JoinSet<()>,
}

impl Echo {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(watch::Sender::new(0));
        let count = Arc::clone(&received);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(echo(stream, Arc::clone(&count)));
            }
        });
        Self {
            address,
            received,
            _serving: serving,
        }
    }

    async fn until_received(&self, bytes: usize) {
        let mut received = self.received.subscribe();
        received.wait_for(|now| *now >= bytes).await.unwrap();
    }
}

async fn echo(mut stream: TcpStream, count: Arc<watch::Sender<usize>>) {
    let mut buffer = vec![0; 10_000];
    while let Ok(len @ 1..) = stream.read(&mut buffer).await {
        count.send_modify(|received| *received += len);
        if stream.write_all(&buffer[..len]).await.is_err() {
            return;
        }
    }
}

async fn both() -> (Echo, FaultProxy) {
    let echo = Echo::start().await;
    let proxy = FaultProxy::to(echo.address).await.unwrap();
    (echo, proxy)
}

async fn connect(proxy: &FaultProxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.unwrap()
}

/// Asks once, and waits for the answer.
async fn ask(stream: &mut TcpStream, text: &[u8]) {
    stream.write_all(text).await.unwrap();
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, text);
}

/// What comes until the end, and how that is.
async fn rest(stream: &mut TcpStream) -> (Vec<u8>, Result<(), ErrorKind>) {
    let mut bytes = Vec::new();
    let ended = stream.read_to_end(&mut bytes).await;
    (bytes, ended.map(drop).map_err(|error| error.kind()))
}

#[tokio::test]
async fn everything_passes_and_the_end_after_it() {
    let (_echo, proxy) = both().await;
    let sent = body(3_000_000, 1);
    let mut stream = connect(&proxy).await;
    let (mut read, mut write) = stream.split();
    let writing = async {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
    };
    let mut came = Vec::new();
    let ((), ended) = futures::join!(writing, read.read_to_end(&mut came));
    ended.unwrap();
    assert!(came == sent);
    assert_eq!(proxy.bytes(Towards::Server), 3_000_000);
    assert_eq!(proxy.bytes(Towards::Client), 3_000_000);
    assert_eq!(proxy.accepted(), 1);
}

#[tokio::test]
async fn latency_is_waited_for_and_keeps_the_order() {
    let (_echo, proxy) = both().await;
    let least = Duration::from_millis(30);
    proxy.set_both(&WireFault::Latency(least..=least * 3));
    let mut stream = connect(&proxy).await;
    let begun = Instant::now();
    ask(&mut stream, b"there and back").await;
    assert!(begun.elapsed() >= least * 2);
    let sent = body(200_000, 1);
    ask(&mut stream, &sent).await;
}

#[tokio::test]
async fn a_throttle_lets_so_much_pass_in_a_second() {
    let (_echo, proxy) = both().await;
    proxy.set(Towards::Client, WireFault::Throttle(200_000));
    let mut stream = connect(&proxy).await;
    let begun = Instant::now();
    ask(&mut stream, &body(60_000, 1)).await;
    // All but the last part of a twentieth of a second.
    assert!(begun.elapsed() >= Duration::from_millis(240));
}

#[tokio::test]
async fn a_reset_comes_after_so_many_bytes_and_is_one() {
    let (_echo, proxy) = both().await;
    proxy.set(Towards::Client, WireFault::Reset(50_000..=50_000));
    let mut stream = connect(&proxy).await;
    stream.write_all(&body(60_000, 1)).await.unwrap();
    let (came, ended) = rest(&mut stream).await;
    assert!(body(60_000, 1).starts_with(&came));
    assert!(came.len() <= 50_000, "{} bytes", came.len());
    assert_eq!(ended, Err(ErrorKind::ConnectionReset));
    // It counts anew on the next connection.
    let mut next = connect(&proxy).await;
    ask(&mut next, &body(40_000, 2)).await;
}

#[test]
fn what_is_random_is_drawn_from_the_seed() {
    let draw = |seed| {
        let random = SeededRandom::new(seed);
        [(); 8].map(|()| lane::between(&random, &(0..=1000)))
    };
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
    assert!(draw(7).iter().all(|drawn| *drawn <= 1000));
}

#[tokio::test]
async fn a_half_closed_direction_ends_and_the_other_goes_on() {
    let (echo, proxy) = both().await;
    proxy.set(Towards::Client, WireFault::HalfClose(3));
    let mut stream = connect(&proxy).await;
    stream.write_all(b"abcdef").await.unwrap();
    let (came, ended) = rest(&mut stream).await;
    assert_eq!((&came[..], ended), (&b"abc"[..], Ok(())));
    stream.write_all(&body(100_000, 1)).await.unwrap();
    echo.until_received(100_006).await;
}

#[tokio::test]
async fn in_silence_nothing_passes_until_it_is_over() {
    let (echo, proxy) = both().await;
    let mut stream = connect(&proxy).await;
    ask(&mut stream, b"before").await;
    proxy.silence();
    stream.write_all(b"after").await.unwrap();
    while proxy.bytes(Towards::Server) < 11 {
        tokio::task::yield_now().await;
    }
    assert_eq!(*echo.received.borrow(), 6);
    proxy.heal().await;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"after");
}

#[tokio::test]
async fn what_is_held_is_bounded() {
    let (_echo, proxy) = both().await;
    proxy.set(Towards::Server, WireFault::Silence);
    let mut stream = connect(&proxy).await;
    let sent = body(32 << 20, 1);
    let writing = async { stream.write_all(&sent).await.map_err(|error| error.kind()) };
    let looking = async {
        // It stands still there.
        while proxy.bytes(Towards::Server) < 256 * 1024 {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            assert!(proxy.bytes(Towards::Server) <= 512 * 1024);
            tokio::task::yield_now().await;
        }
        proxy.reset();
    };
    let (written, ()) = futures::join!(writing, looking);
    assert!(written.is_err(), "it is reset");
}

#[tokio::test]
async fn a_black_hole_accepts_and_answers_nothing() {
    let (echo, proxy) = both().await;
    let mut before = connect(&proxy).await;
    ask(&mut before, b"a").await;
    proxy.black_hole();
    let mut swallowed = connect(&proxy).await;
    swallowed.write_all(b"hello?").await.unwrap();
    while proxy.accepted() < 2 {
        tokio::task::yield_now().await;
    }
    // The one that was there goes on.
    ask(&mut before, b"b").await;
    assert_eq!(*echo.received.borrow(), 2);
    proxy.heal().await;
    let mut after = connect(&proxy).await;
    ask(&mut after, b"c").await;
    assert_eq!(*echo.received.borrow(), 3);
}

#[tokio::test]
async fn refused_connections_are_refused_and_the_port_stays() {
    let (_echo, proxy) = both().await;
    let mut before = connect(&proxy).await;
    ask(&mut before, b"a").await;
    for _ in 0..3 {
        proxy.refuse().await;
        let refused = TcpStream::connect(proxy.address()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        ask(&mut before, b"b").await;
        proxy.heal().await;
        let mut after = connect(&proxy).await;
        ask(&mut after, b"c").await;
    }
}

#[tokio::test]
async fn all_connections_are_reset_at_once() {
    let (_echo, proxy) = both().await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut stream = connect(&proxy).await;
        ask(&mut stream, b"a").await;
        streams.push(stream);
    }
    proxy.reset();
    for mut stream in streams {
        assert_eq!(rest(&mut stream).await.1, Err(ErrorKind::ConnectionReset));
    }
    ask(&mut connect(&proxy).await, b"b").await;
}

#[tokio::test]
async fn a_connection_that_is_not_through_to_the_server_yet_is_reset_too() {
    let (_echo, proxy) = both().await;
    let mut stream = connect(&proxy).await;
    while proxy.accepted() < 1 {
        tokio::task::yield_now().await;
    }
    proxy.reset();
    // It may be told by then.
    let _ = stream.write_all(b"a").await;
    let _ = stream.shutdown().await;
    assert_eq!(rest(&mut stream).await.1, Err(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_reset() {
    // Nobody listens on a port that is only bound.
    let nowhere = tokio::net::TcpSocket::new_v4().unwrap();
    nowhere.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let proxy = FaultProxy::to(nowhere.local_addr().unwrap()).await.unwrap();
    let mut stream = connect(&proxy).await;
    assert!(rest(&mut stream).await.1.is_err());
}

#[tokio::test]
async fn dropping_it_ends_all() {
    let (_echo, proxy) = both().await;
    let address = proxy.address();
    let mut stream = connect(&proxy).await;
    ask(&mut stream, b"a").await;
    drop(proxy);
    let _ = rest(&mut stream).await;
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn turns_are_round_trips() {
    let (_echo, proxy) = both().await;
    let mut stream = connect(&proxy).await;
    for turn in 1..=10 {
        ask(&mut stream, b"question").await;
        assert_eq!(proxy.turns(), turn);
    }
    // Sent in one go, it counts once.
    stream.write_all(b"one, two, three").await.unwrap();
    let mut answer = [0; 15];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(proxy.turns(), 11);
}
