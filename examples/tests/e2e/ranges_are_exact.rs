//! Parts of a stored body are exactly the bytes asked for, from memory and from disk, and cost about as much.

use std::ops::Range;

use bytes::Bytes;
use hyper::header::ETAG;

use crate::support::{Answer, Content, Gate, KIB, MIB, Origin, Proxy, Reply, Setup, folder};

const SMALL: u64 = 100 * KIB;
const LARGE: u64 = 5 * MIB;

struct Served {
    path: &'static str,
    content: Content,
    /// Where it is served from.
    from: &'static str,
}

#[tokio::test(flavor = "multi_thread")]
async fn from_memory_and_from_disk() {
    let (small, large) = (Content::new(1, SMALL), Content::new(2, LARGE));
    let answers = [("/small", small.clone()), ("/large", large.clone())];
    let origin = Origin::start(move |seen| {
        let found = answers.iter().find(|(path, _)| *path == seen.path);
        let (_, content) = found.expect("one of ours").clone();
        Answer::new(content).header(ETAG, "\"v1\"")
    })
    .await;
    let data = folder();
    let setup = || Setup::new(origin.address, data.path());

    let proxy = setup().start().await;
    for (path, content) in [("/small", &small), ("/large", &large)] {
        proxy.get(path).await.expect(content).await;
    }
    proxy.durable_commits(2).await;
    let served = |path, content: &Content, from| Served {
        path,
        content: content.clone(),
        from,
    };
    served("/small", &small, "hit; detail=L0")
        .answers_ranges(&proxy)
        .await;
    served("/large", &large, "hit; detail=L3")
        .answers_ranges(&proxy)
        .await;
    assert!(proxy.terminate().await.success());

    // A part is not promoted: all are served from the disk.
    let proxy = setup().start().await;
    for (path, content) in [("/small", &small), ("/large", &large)] {
        served(path, content, "hit; detail=L3")
            .answers_ranges(&proxy)
            .await;
        assert_eq!(origin.count(path), 1);
    }
}

impl Served {
    async fn ask(&self, proxy: &Proxy, range: &str) -> Reply {
        let reply = proxy
            .ask("GET", self.path)
            .header("range", range)
            .send()
            .await;
        assert_eq!(reply.cache(), self.from, "{} {range}", self.path);
        reply
    }

    async fn answers_ranges(&self, proxy: &Proxy) {
        self.answers_single_ranges(proxy).await;
        self.answers_several_ranges(proxy).await;
        self.refuses_what_is_outside(proxy).await;
        self.heeds_conditions(proxy).await;
    }

    async fn answers_single_ranges(&self, proxy: &Proxy) {
        let len = self.content.len();
        let ranges = [
            ("bytes=0-0".to_owned(), 0..1),
            ("bytes=0-1023".to_owned(), 0..1024),
            // Around the smallest block that is verified by itself.
            ("bytes=16383-16384".to_owned(), 16_383..16_385),
            ("bytes=16384-32767".to_owned(), 16_384..32_768),
            ("bytes=70000-90000".to_owned(), 70_000..90_001),
            ("bytes=70000-".to_owned(), 70_000..len),
            ("bytes=-1".to_owned(), len - 1..len),
            ("bytes=-5000".to_owned(), len - 5000..len),
            (format!("bytes=-{}", len + 5), 0..len),
            (format!("bytes=10-{}", len + 5), 10..len),
            (format!("bytes=0-{}", len - 1), 0..len),
        ];
        for (asked, range) in ranges {
            let reply = self.ask(proxy, &asked).await;
            assert_eq!(reply.status, 206, "{asked}");
            let told = format!("bytes {}-{}/{len}", range.start, range.end - 1);
            assert_eq!(reply.header("content-range"), told, "{asked}");
            let told = (range.end - range.start).to_string();
            assert_eq!(reply.header("content-length"), told, "{asked}");
            reply.expect(&self.content.slice(range)).await;
        }
    }

    async fn answers_several_ranges(&self, proxy: &Proxy) {
        let len = self.content.len();
        let asked = "bytes=0-9,100-199,16000-17000,-5";
        let expected = [0..10, 100..200, 16_000..17_001, len - 5..len];
        let reply = self.ask(proxy, asked).await;
        assert_eq!(reply.status, 206);
        let kind = reply.header("content-type").to_owned();
        let boundary = kind.strip_prefix("multipart/byteranges; boundary=");
        let boundary = boundary.unwrap_or_else(|| panic!("{kind:?}")).to_owned();
        let announced = reply.header("content-length").to_owned();
        let body = reply.whole().await;
        assert_eq!(announced, body.len().to_string());
        let parts = parts(&body, &boundary, len);
        assert_eq!(parts.len(), expected.len());
        for ((range, bytes), expected) in parts.into_iter().zip(expected) {
            assert_eq!(range, expected);
            assert_eq!(bytes, self.content.slice(range).bytes());
        }
    }

    async fn refuses_what_is_outside(&self, proxy: &Proxy) {
        let len = self.content.len();
        for asked in [
            format!("bytes={len}-"),
            format!("bytes={}-{}", len + 9, len + 10),
        ] {
            let reply = self.ask(proxy, &asked).await;
            assert_eq!(reply.status, 416, "{asked}");
            assert_eq!(reply.header("content-range"), format!("bytes */{len}"));
        }
    }

    async fn heeds_conditions(&self, proxy: &Proxy) {
        for (tag, status) in [("\"v1\"", 206), ("\"v0\"", 200)] {
            let ask = proxy.ask("GET", self.path).header("range", "bytes=5-9");
            let reply = ask.header("if-range", tag).send().await;
            assert_eq!(reply.status, status, "{tag}");
            let whole = 0..self.content.len();
            let range = if status == 206 { 5..10 } else { whole };
            reply.expect(&self.content.slice(range)).await;
        }
    }
}

/// The parts of a multipart/byteranges body (RFC 9110, 14.6), in their order.
fn parts(body: &Bytes, boundary: &str, len: u64) -> Vec<(Range<u64>, Bytes)> {
    let mut parts = Vec::new();
    let mut rest = body.clone();
    let delimiter = format!("\r\n--{boundary}\r\n");
    loop {
        let end = format!("\r\n--{boundary}--\r\n");
        if rest == end.as_bytes() {
            return parts;
        }
        assert!(rest.starts_with(delimiter.as_bytes()), "{rest:?}");
        let head_end = rest
            .windows(4)
            .skip(delimiter.len())
            .position(|it| it == b"\r\n\r\n");
        let head_end = delimiter.len() + head_end.expect("a part has a header");
        let head = String::from_utf8(rest[delimiter.len()..head_end].to_vec());
        let head = head.expect("text").to_lowercase();
        let told = head
            .lines()
            .find_map(|line| line.strip_prefix("content-range: bytes "));
        let range = told.and_then(|told| told.strip_suffix(&format!("/{len}")));
        let (first, last) = range.and_then(|it| it.split_once('-')).expect("a range");
        let first: u64 = first.parse().expect("a number");
        let range = first..last.parse::<u64>().expect("a number") + 1;
        let size = usize::try_from(range.end - range.start).expect("a small part");
        let begin = head_end + 4;
        parts.push((range, rest.slice(begin..begin + size)));
        rest = rest.slice(begin + size..);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn and_one_of_a_kilobyte_does_not_read_three_hundred_megabytes() {
    let content = Content::new(3, 300 * MIB);
    let answer = Answer::new(content.clone());
    let origin = Origin::start(move |_| answer.clone()).await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;
    proxy.get("/huge").await.expect(&content).await;
    proxy.durable_commits(1).await;

    for start in [0, 123_456_789, 300 * MIB - KIB] {
        let before = proxy.bytes_read();
        let asked = format!("bytes={start}-{}", start + KIB - 1);
        let reply = proxy
            .ask("GET", "/huge")
            .header("range", asked)
            .send()
            .await;
        assert_eq!(
            (reply.status.as_u16(), &*reply.cache()),
            (206, "hit; detail=L3")
        );
        reply.expect(&content.slice(start..start + KIB)).await;
        let read = proxy.bytes_read() - before;
        println!("{KIB} bytes from {start}: {read} bytes read from files");
        // A body of this size is verified in blocks of 512 KiB: two of them at most, and the index.
        assert!(read < 2 * MIB, "{read} bytes were read for {KIB}");
    }
    assert_eq!(origin.count("/huge"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_body_on_its_way_they_come_when_the_origin_has_sent_so_far() {
    let (content, gate) = (Content::new(4, SMALL), Gate::new());
    let answer = Answer::new(content.clone()).hold_at(50 * KIB, &gate);
    let origin = Origin::start(move |_| answer.clone()).await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;
    let whole = proxy.get("/page").await;
    let ask = async |range: &str| {
        proxy
            .ask("GET", "/page")
            .header("range", range)
            .send()
            .await
    };
    // The origin holds back what comes after them.
    let early = ask("bytes=1000-1999").await;
    assert_eq!(
        (early.status.as_u16(), early.header("content-range")),
        (206, "bytes 1000-1999/102400")
    );
    early.expect(&content.slice(1000..2000)).await;
    // Pingora sends a header with the first bytes of its body: these wait for the rest.
    let (late, several, ()) =
        tokio::join!(ask("bytes=-1000"), ask("bytes=0-9,60000-60009"), async {
            gate.open();
        });
    assert_eq!((late.status.as_u16(), several.status.as_u16()), (206, 206));
    late.expect(&content.slice(SMALL - 1000..SMALL)).await;
    assert!(
        several
            .header("content-type")
            .starts_with("multipart/byteranges")
    );
    let announced = several.header("content-length").to_owned();
    assert_eq!(announced, several.whole().await.len().to_string());
    whole.expect(&content).await;
    assert_eq!(origin.count("/page"), 1);
}
