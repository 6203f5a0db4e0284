//! However many ask for it at the same time, a body is fetched once, and all get it while it comes; or all are told
//! that it broke off.

use futures::future::join_all;

use crate::support::{
    Answer, Checker, Content, Gate, MIB, Origin, Proxy, Reply, Setup, eventually, folder,
};

const CLIENTS: usize = 64;

/// One that reads along, and what it still has to read.
struct Reader {
    reply: Reply,
    checker: Checker,
}

impl Reader {
    /// Asks for `path` and reads the first bytes of its body.
    async fn begin(proxy: &Proxy, path: &str, content: &Content) -> Self {
        let mut reply = proxy.get(path).await;
        let mut checker = content.checker();
        let first = reply.next().await.expect("the body has begun");
        checker
            .push(&first.expect("it has bytes"))
            .expect("the right ones");
        Self { reply, checker }
    }

    async fn all(proxy: &Proxy, path: &str, content: &Content) -> Vec<Self> {
        join_all((0..CLIENTS).map(|_| Self::begin(proxy, path, content))).await
    }

    async fn expect_rest(self) {
        self.reply.expect_rest(self.checker).await;
    }

    /// Reads to the end, which must be an error, after nothing but right bytes.
    async fn expect_break(mut self) {
        loop {
            match self.reply.next().await {
                Ok(Some(piece)) => self.checker.push(&piece).expect("the right bytes"),
                Ok(None) => panic!("a clean end at {}", self.checker.position()),
                Err(_) => return,
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_one_request_of_many_and_whoever_leaves_disturbs_nobody() {
    let content = Content::new(1, 20 * MIB);
    let gate = Gate::new();
    let answer = Answer::new(content.clone()).hold_at(MIB, &gate);
    let origin = Origin::start(move |_| answer.clone()).await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;
    let idle = proxy.open_files();

    // The one whose request the origin answers.
    let first = Reader::begin(&proxy, "/slow", &content).await;
    let others = Reader::all(&proxy, "/slow", &content).await;
    for other in &others {
        assert_eq!(
            other.reply.cache(),
            "fwd=uri-miss; collapsed; detail=filling"
        );
    }
    // All have bytes; the origin still has 19 MiB to send.
    drop(first);
    gate.open();
    join_all(others.into_iter().map(Reader::expect_rest)).await;
    assert_eq!(origin.count("/slow"), 1);

    proxy.durable_commits(1).await;
    let hit = proxy.get("/slow").await;
    assert_eq!(hit.cache(), "hit; detail=L3");
    hit.expect(&content).await;
    // One or two connections to the origin, and files of the index, may have come to stay.
    eventually("connections and files are closed", async || {
        proxy.open_files() < idle + 10
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn also_when_the_only_client_leaves() {
    let content = Content::new(2, 5 * MIB);
    let gate = Gate::new();
    let answer = Answer::new(content.clone()).hold_at(MIB, &gate).chunked();
    let origin = Origin::start(move |_| answer.clone()).await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;
    drop(Reader::begin(&proxy, "/left", &content).await);
    gate.open();
    proxy.durable_commits(1).await;
    let hit = proxy.get("/left").await;
    assert_eq!(hit.cache(), "hit; detail=L3");
    hit.expect(&content).await;
    assert_eq!(origin.count("/left"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn and_a_client_that_reads_nothing_holds_nobody_up() {
    let content = Content::new(3, 60 * MIB);
    let gate = Gate::new();
    let answer = Answer::new(content.clone()).hold_at(MIB, &gate);
    let origin = Origin::start(move |_| answer.clone()).await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;
    // The second joins what the first has begun.
    let idler = Reader::begin(&proxy, "/idle", &content).await;
    let reader = Reader::begin(&proxy, "/idle", &content).await;
    gate.open();
    reader.expect_rest().await;
    idler.expect_rest().await;
    assert_eq!(origin.count("/idle"), 1);
}

/// A part of a body that is on its way comes as soon as the origin has sent it, whatever the client does whose request brought
/// it.
#[tokio::test(flavor = "multi_thread")]
async fn nor_one_that_wants_its_last_bytes() {
    for is_chunked in [false, true] {
        let content = Content::new(5, 30 * MIB);
        let gate = Gate::new();
        let whole = Answer::new(content.clone());
        let whole = if is_chunked { whole.chunked() } else { whole };
        let answer = whole.hold_at(MIB, &gate);
        let origin = Origin::start(move |_| answer.clone()).await;
        let data = folder();
        let proxy = Setup::new(origin.address, data.path()).start().await;
        let idler = Reader::begin(&proxy, "/idle", &content).await;
        let len = content.len();
        let asked = format!("bytes={}-{}", len - 100, len - 1);
        let last = proxy.ask("GET", "/idle").header("range", asked);
        let both_ask = async {
            eventually("both are being served", async || {
                let metrics = proxy.metrics().await;
                metrics.sum("terrace_proxy_requests_in_flight", &[]) > 1.5
            })
            .await;
            gate.open();
        };
        let (last, ()) = tokio::join!(last.send(), both_ask);
        if is_chunked {
            // Nobody knew where it ends when it was asked for.
            assert_eq!(last.status, 200);
            last.expect(&content).await;
        } else {
            assert_eq!(last.status, 206);
            last.expect(&content.slice(len - 100..len)).await;
        }
        idler.expect_rest().await;
        assert_eq!(origin.count("/idle"), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn or_all_are_told_that_it_broke_off() {
    for is_chunked in [false, true] {
        breaks_off(is_chunked).await;
    }
}

async fn breaks_off(is_chunked: bool) {
    let content = Content::new(4, 20 * MIB);
    let gate = Gate::new();
    let whole = Answer::new(content.clone());
    let whole = if is_chunked { whole.chunked() } else { whole };
    let dying = whole.clone().hold_at(MIB, &gate).die_at(8 * MIB);
    let fill = std::sync::atomic::AtomicUsize::new(0);
    let origin = Origin::start(move |_| {
        let is_first = fill.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        if is_first {
            dying.clone()
        } else {
            whole.clone()
        }
    })
    .await;
    let data = folder();
    let setup = || Setup::new(origin.address, data.path());
    let proxy = setup().start().await;

    let readers = Reader::all(&proxy, "/dies", &content).await;
    assert_eq!(origin.count("/dies"), 1);
    gate.open();
    join_all(readers.into_iter().map(Reader::expect_break)).await;

    // Nothing of it was stored, also not on the disk.
    assert!(proxy.terminate().await.success());
    let proxy = setup().start().await;
    let again = proxy.get("/dies").await;
    assert_eq!(again.cache(), "fwd=uri-miss; stored");
    again.expect(&content).await;
    assert_eq!(origin.count("/dies"), 2);
}
