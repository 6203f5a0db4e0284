//! Certificates: those of upstreams must be good, ours are read again when they change, and mistakes are told at once.

use std::fs;
use std::path::Path;

use crate::support::{
    Answer, Certificates, Connection, Content, KIB, Origin, Setup, Speaks, eventually, folder, text,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_must_show_a_certificate_that_is_good() {
    let certificates = Certificates::new();
    let others = Certificates::new();
    let content = Content::new(4, 10 * KIB);
    let serve = async |acceptor| {
        let answer = Answer::new(content.clone());
        let speaks = Speaks {
            tls: Some(acceptor),
            http2: false,
        };
        Origin::speaking(speaks, move |_| answer.clone()).await
    };
    let good = certificates.issue("good", "localhost");
    let by_address = certificates.issue("address", "127.0.0.1");
    let ended = certificates.issue_until("ended", "localhost", 2001);
    let ca = certificates.ca();
    let ca = ["--upstream-ca", text(&ca)];
    let foreign_ca = others.ca();
    let foreign = ["--upstream-ca", text(&foreign_ca)];
    let named = ["--upstream-tls-name", "localhost"];
    for (pair, options, told) in [
        (&good, vec![ca, named], None),
        (&by_address, vec![ca], None),
        (&good, vec![], Some("UnknownIssuer")),
        (&good, vec![foreign, named], Some("UnknownIssuer")),
        // It is connected to as 127.0.0.1.
        (&good, vec![ca], Some("not valid for name")),
        (&ended, vec![ca, named], Some("xpired")),
    ] {
        let origin = serve(certificates.acceptor(pair, "http/1.1", false)).await;
        let upstream = format!("https://{}", origin.address);
        let data = folder();
        let mut setup = Setup::in_front_of(&[upstream], data.path());
        for option in options {
            setup = setup.args(option);
        }
        let proxy = setup.start().await;
        let reply = proxy.get("/one").await;
        if let Some(told) = told {
            assert_eq!(reply.status, 502);
            eventually("the log tells why", async || proxy.log().contains(told)).await;
            assert_eq!(origin.requests(), 0);
        } else {
            assert_eq!(reply.status, 200, "{}", proxy.log());
            reply.expect(&content).await;
        }
    }
    // Whoever wants it so is not protected.
    let origin = serve(certificates.acceptor(&ended, "http/1.1", false)).await;
    let data = folder();
    let setup = Setup::in_front_of(&[format!("https://{}", origin.address)], data.path());
    let proxy = setup.arg("--upstream-no-verify").start().await;
    proxy.get("/one").await.expect(&content).await;

    // An upstream that wants to know who we are.
    let origin = serve(certificates.acceptor(&good, "http/1.1", true)).await;
    let upstream = [format!("https://{}", origin.address)];
    let client = certificates.issue("client", "client.example");
    for (shows, status) in [(false, 502), (true, 200)] {
        let data = folder();
        let mut setup = Setup::in_front_of(&upstream, data.path())
            .args(ca)
            .args(named);
        if shows {
            setup = setup.args(client.args("--upstream-cert", "--upstream-key"));
        }
        let proxy = setup.start().await;
        let reply = proxy.get("/one").await;
        assert_eq!(reply.status, status, "{}", proxy.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_shown_without_a_restart() {
    let certificates = Certificates::new();
    let ended = certificates.issue_until("proxy", "localhost", 2001);
    let origin = Origin::start(|_| Answer::new(Content::new(1, 10))).await;
    let data = folder();
    let setup = Setup::new(origin.address, data.path())
        .args(ended.args("--tls-cert", "--tls-key"))
        .args(["--tls-listen", "127.0.0.1:0", "--tls-reload", "50ms"]);
    let proxy = setup.start().await;
    assert!(proxy.log().contains("has ended"), "{}", proxy.log());
    let tls = certificates.connector(&["http/1.1"]);
    let connect = async || Connection::open_tls(proxy.tls.expect("it listens"), &tls).await;
    assert!(connect().await.is_err());
    certificates.issue("proxy", "localhost");
    eventually("the new one is shown", async || connect().await.is_ok()).await;
    // Half a renewal leaves it as it is.
    fs::write(&ended.certificate, "nothing").expect("room on the disk");
    eventually("it is told", async || proxy.log().contains("stays")).await;
    connect().await.expect("the one in use stays");
}

/// Which of them comes from where does not matter.
#[tokio::test(flavor = "multi_thread")]
async fn the_listener_with_tls_can_stand_in_the_file() {
    let certificates = Certificates::new();
    let pair = certificates.issue("proxy", "localhost");
    let origin = Origin::start(|_| Answer::new(Content::new(1, 10))).await;
    let tls = certificates.connector(&["http/1.1"]);
    let listen = "tls_listen = \"127.0.0.1:0\"\n";
    let (certificate, key) = (pair.certificate.display(), pair.key.display());
    let files = format!("tls_cert = \"{certificate}\"\ntls_key = \"{key}\"\n");
    let both = format!("{listen}{files}");
    let options = pair.args("--tls-cert", "--tls-key");
    for (said, options) in [
        (both.as_str(), &[][..]),
        (&files, &["--tls-listen", "127.0.0.1:0"]),
        (listen, &options),
    ] {
        let data = folder();
        let file = data.path().join("terrace.toml");
        fs::write(&file, format!("[server]\n{said}")).expect("room on the disk");
        let setup = Setup::new(origin.address, &data.path().join("data"));
        let setup = setup.arg("--config").arg(&file);
        let proxy = options.iter().fold(setup, Setup::arg).start().await;
        let address = proxy.tls.expect("it listens with TLS");
        let connected = Connection::open_tls(address, &tls).await;
        connected.expect("the certificate is the one");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_listened_with_is_told_at_once() {
    let certificates = Certificates::new();
    let pair = certificates.issue("one", "localhost");
    let other = certificates.issue("other", "localhost");
    let none = Path::new("/no/such/file.pem");
    for (listen, certificate, key, told) in [
        ("127.0.0.1:0", none, pair.key.as_path(), "/no/such/file.pem"),
        (
            "127.0.0.1:0",
            pair.certificate.as_path(),
            other.key.as_path(),
            "is it the key the certificate was made for",
        ),
        (
            "127.0.0.1:0",
            pair.key.as_path(),
            pair.key.as_path(),
            "no certificate",
        ),
    ] {
        told_at_once(listen, certificate, key, told).await;
    }
    let keep = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let busy = keep.local_addr().expect("an address").to_string();
    told_at_once(&busy, &pair.certificate, &pair.key, "--tls-listen").await;
}

async fn told_at_once(listen: &str, certificate: &Path, key: &Path, told: &str) {
    let data = folder();
    let setup = Setup::in_front_of(&["127.0.0.1:9".to_owned()], data.path());
    let setup = setup.args(["--tls-listen", listen]);
    let ended = setup
        .arg("--tls-cert")
        .arg(certificate)
        .arg("--tls-key")
        .arg(key)
        .ends()
        .await;
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.contains(told), "{told:?} is not in {ended:?}");
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
}
