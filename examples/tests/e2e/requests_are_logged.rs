//! The access log: what was asked is written, nobody can forge a line, and no request waits for its own.

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use crate::support::{Answer, Content, Origin, Proxy, Setup, eventually, folder};

async fn origin() -> Origin {
    Origin::start(|_| Answer::new(Content::new(1, 1000))).await
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

async fn logged(path: &Path, count: usize) -> Vec<String> {
    eventually("the lines are written", async || lines(path).len() >= count).await;
    let lines = lines(path);
    assert_eq!(lines.len(), count, "{lines:#?}");
    lines
}

fn setup(origin: &Origin, data: &Path, format: &str) -> (Setup, std::path::PathBuf) {
    let log = data.join("access.log");
    let setup = Setup::new(origin.address, data).args(["--access-log-format", format]);
    (setup.arg("--access-log").arg(&log), log)
}

#[tokio::test(flavor = "multi_thread")]
async fn with_tier_reason_and_whatever_a_format_names() {
    let (origin, data) = (origin().await, folder());
    let format = "{id} {method} {host} {path} {status} {bytes} {outcome} {tier} {reason} {upstream_status} {{{header:x-team}}}";
    let (setup, log) = setup(&origin, data.path(), format);
    let proxy = setup.start().await;
    let asked = proxy
        .ask("GET", "/a?b")
        .header("x-request-id", "r-1")
        .header("x-team", "red");
    asked.send().await.whole().await;
    let asked = proxy.ask("GET", "/a?b").header("x-request-id", "r-2");
    asked.send().await.whole().await;
    let asked = proxy
        .ask("GET", "/c")
        .header("x-request-id", "r-3")
        .header("authorization", "x");
    asked.send().await.whole().await;
    let expected = [
        "r-1 GET e2e.example /a?b 200 1000 miss - - 200 {red}",
        "r-2 GET e2e.example /a?b 200 1000 hit L0 - - {-}",
        "r-3 GET e2e.example /c 200 1000 pass - authorization 200 {-}",
    ];
    let mut lines = logged(&log, 3).await;
    // In the order of their ends, which a client may see earlier.
    lines.sort();
    assert_eq!(lines, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_usual_forms_and_nobody_can_forge_a_line() {
    let evil = "x\" 200 1\t\u{fc}\\";
    for format in ["combined", "json"] {
        let (origin, data) = (origin().await, folder());
        let (setup, log) = setup(&origin, data.path(), format);
        let proxy = setup.start().await;
        // Raw, because no client library would send it.
        raw(
            &proxy,
            &format!(
                "GET /%0a HTTP/1.1\r\nHost: a\r\nUser-Agent: {evil}\r\nConnection: close\r\n\r\n"
            ),
        )
        .await;
        let line = logged(&log, 1).await.remove(0);
        assert!(line.bytes().all(|it| it >= b' '), "{line:?}");
        if format == "json" {
            assert!(line.starts_with('{') && line.ends_with('}'), "{line}");
            for part in [
                r#""status":200"#,
                r#""outcome":"miss""#,
                r#""path":"/%0a""#,
                r#""user_agent":"x\" 200 1\tü\\""#,
            ] {
                assert!(line.contains(part), "{part} is not in {line}");
            }
        } else {
            let quoted =
                "\"GET /%0a HTTP/1.1\" 200 1000 \"-\" \"x\\x22 200 1\\x09\\xC3\\xBC\\x5C\"";
            assert!(
                line.starts_with("127.0.0.1 - - [") && line.ends_with(quoted),
                "{line}"
            );
        }
    }
}

async fn raw(proxy: &Proxy, request: &str) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(proxy.listen)
        .await
        .expect("a connection");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it is taken");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    assert!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_file_is_left_alone_and_the_end_loses_no_line() {
    let (origin, data) = (origin().await, folder());
    let (setup, log) = setup(&origin, data.path(), "{path}");
    let mut proxy = setup.start().await;
    proxy.get("/before").await.whole().await;
    logged(&log, 1).await;
    let old = data.path().join("access.log.1");
    fs::rename(&log, &old).expect("it can be moved");
    proxy.signal(Signal::HUP);
    eventually("a new file", async || log.exists()).await;
    for page in 0..100 {
        proxy.get(&format!("/{page}")).await.whole().await;
    }
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.ended().await.code(), Some(0), "{}", proxy.log());
    assert_eq!(lines(&old), ["/before"]);
    let expected: Vec<_> = (0..100).map(|page| format!("/{page}")).collect();
    let mut written = lines(&log);
    // Each on a connection of its own: the order is that of their ends.
    written.sort_by_key(|line| line[1..].parse::<u32>().expect("a number"));
    assert_eq!(written, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_does_not_read_costs_lines_and_no_request_waits() {
    let (origin, data) = (origin().await, folder());
    // A pipe nobody reads takes 64 KiB, then a write to it waits for ever.
    let pipe = data.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo can be run").success());
    let held = fs::OpenOptions::new().read(true).write(true).open(&pipe);
    let _held = held.expect("a pipe");
    let format = "{path} ".repeat(40);
    let setup = Setup::new(origin.address, data.path()).args(["--access-log-format", &format]);
    let proxy = setup
        .arg("--access-log")
        .arg(&pipe)
        .args(["--grace", "1"])
        .start()
        .await;
    let long = format!("/{}", "a".repeat(1500));
    let dropped = [("outcome", "dropped")];
    // 60 KB a line: the pipe and the queue hold some twenty.
    for _ in 0..60 {
        proxy.get(&long).await.expect(&Content::new(1, 1000)).await;
    }
    eventually("lines are dropped", async || {
        proxy
            .metrics()
            .await
            .sum("terrace_access_log_lines_total", &dropped)
            >= 1.0
    })
    .await;
    proxy
        .get("/still-served")
        .await
        .expect(&Content::new(1, 1000))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_takes_some_and_mistakes_are_named() {
    let (origin, data) = (origin().await, folder());
    let (setup, log) = setup(&origin, data.path(), "{id}");
    let proxy = setup.args(["--access-log-sample", "0.5"]).start().await;
    for n in 0..200 {
        let asked = proxy
            .ask("GET", "/a")
            .header("x-request-id", format!("{n}"));
        asked.send().await.whole().await;
    }
    assert!(proxy.terminate().await.success());
    let written = lines(&log).len();
    assert!((50..150).contains(&written), "{written} of 200");

    for (args, told) in [
        (["--access-log-format", "{nothing}"], "{user_agent}"),
        (["--access-log-sample", "2"], "from 0 to 1"),
        (
            ["--access-log", "/no-such-folder/access.log"],
            "/no-such-folder/access.log",
        ),
    ] {
        let data = folder();
        let ended = Setup::new(origin.address, data.path())
            .args(args)
            .ends()
            .await;
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(ended.stderr.contains(told), "{told:?} is not in {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_goes_on_to_the_origin_as_it_is_and_spans_are_shown_on_demand() {
    let (origin, data) = (origin().await, folder());
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let (setup, log) = setup(&origin, data.path(), "{trace_id} {path}");
    let proxy = setup
        .env("RUST_LOG", "info,terrace::request=debug")
        .start()
        .await;
    let asked = proxy.ask("GET", "/a?secret=1").header("traceparent", trace);
    asked
        .header("tracestate", "vendor=1")
        .send()
        .await
        .whole()
        .await;
    let seen = origin.last();
    assert_eq!(seen.headers["traceparent"], trace);
    assert_eq!(seen.headers["tracestate"], "vendor=1");
    let line = logged(&log, 1).await.remove(0);
    assert_eq!(line, "0af7651916cd43dd8448eb211c80319c /a?secret=1");
    eventually("the request's span", async || {
        proxy.log().contains("terrace::request: done")
    })
    .await;
    let told = proxy.log();
    for part in [
        "request{method=GET host=\"e2e.example\" path=\"/a\" background=false",
        "outcome=\"miss\"",
        "status=200 bytes=1000 duration=",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    assert!(!told.contains("secret"), "{told}");

    let data = folder();
    let quiet = Setup::new(origin.address, data.path()).start().await;
    quiet.get("/a").await.whole().await;
    assert!(quiet.terminate().await.success());
}
