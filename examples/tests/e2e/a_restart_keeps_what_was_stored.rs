//! Real files from nginx: fetched once, then served from memory, over a restart from disk, always byte for byte.

use crate::support::{Content, KIB, MIB, Nginx, Proxy, Setup, eventually, folder};

/// As by default.
const L0_GATE: u64 = 2 * MIB;
const SIZES: [u64; 6] = [0, 1, 100, 64 * KIB, 3 * MIB, 300 * MIB];

struct File {
    path: String,
    content: Content,
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_content_length() {
    serve_over_a_restart("length").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_content_length() {
    serve_over_a_restart("chunked").await;
}

async fn serve_over_a_restart(framing: &str) {
    let Some(nginx) = Nginx::start().await else {
        return;
    };
    let files = SIZES.map(|len| {
        let content = Content::new(len, len);
        nginx.add(&len.to_string(), &content);
        let path = format!("/{framing}/{len}");
        File { path, content }
    });
    let data = folder();
    let setup = || Setup::new(nginx.address, data.path());

    let proxy = setup().start().await;
    for (file, commits) in files.iter().zip(1..) {
        let reply = proxy.get(&file.path).await;
        assert_eq!(reply.cache(), "fwd=uri-miss; stored", "{}", file.path);
        let has_length = reply.headers.contains_key("content-length");
        // An empty body has a length even where nginx may replace something in it.
        assert_eq!(has_length, framing == "length" || file.content.len() == 0);
        reply.expect(&file.content).await;
        proxy.durable_commits(commits).await;
        file.becomes_a_hit(&proxy).await;
    }
    assert!(proxy.terminate().await.success());

    let proxy = setup().start().await;
    for file in &files {
        let reply = proxy.get(&file.path).await;
        assert_eq!(reply.cache(), "hit; detail=L3", "{}", file.path);
        reply.expect(&file.content).await;
        file.becomes_a_hit(&proxy).await;
        assert_eq!(nginx.count(&file.path), 1, "{}", file.path);
    }
    assert!(proxy.terminate().await.success());
}

impl File {
    /// Asks until it is served from where it belongs: the client may have all of a body before L0 has committed
    /// it.
    async fn becomes_a_hit(&self, proxy: &Proxy) {
        let fits = self.content.len() <= L0_GATE;
        let wanted = if fits {
            "hit; detail=L0"
        } else {
            "hit; detail=L3"
        };
        eventually(wanted, async || {
            let reply = proxy.get(&self.path).await;
            let cache = reply.cache();
            reply.expect(&self.content).await;
            let on_the_way = ["hit; detail=L3", "fwd=uri-miss; collapsed; detail=filling"];
            assert!(
                cache == wanted || on_the_way.contains(&&*cache),
                "{}: {cache}",
                self.path
            );
            cache == wanted
        })
        .await;
    }
}
