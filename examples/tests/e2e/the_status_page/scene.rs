use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    Answer, Browser, Content, Gate, KIB, Origin, Proxy, Setup, eventually, folder, keep_picture,
};

/// Sizes of windows that people have: a small phone, a wide screen.
const PHONE: (u32, u32) = (360, 1240);
const WIDE: (u32, u32) = (1600, 1060);

/// The page of a running proxy, in a browser.
pub(super) struct Scene {
    pub(super) browser: Browser,
    pub(super) origin: Origin,
    pub(super) proxy: Proxy,
    pub(super) data: TempDir,
}

impl Scene {
    /// `None` where there is no browser.
    pub(super) async fn set(gate: &Gate, arrange: impl FnOnce(Setup) -> Setup) -> Option<Self> {
        let browser = Browser::start().await?;
        let held = gate.clone();
        let origin = Origin::start(move |seen| {
            let number = seen.path.bytes().map(u64::from).sum();
            let answer = Answer::new(Content::new(number, 2 * KIB + number * 40));
            if seen.path.starts_with("/held/") {
                return answer.delayed_by(&held);
            }
            if seen.path.starts_with("/private/") {
                return answer.header(hyper::header::CACHE_CONTROL, "no-store");
            }
            answer
        })
        .await;
        let data = folder();
        let setup = Setup::new(origin.address, data.path());
        let proxy = arrange(setup).start().await;
        browser.look(WIDE.0, WIDE.1, false).await;
        browser.open(&proxy.admin_url("/")).await;
        browser.shows("#link", "live").await;
        Some(Self {
            browser,
            origin,
            proxy,
            data,
        })
    }

    pub(super) async fn get(&self, path: &str) {
        self.proxy.get(path).await.whole().await;
    }

    /// The page fits into the windows people have, in both schemes; with names, pictures of it are kept.
    pub(super) async fn is_presentable(&self, name: &str) {
        for (width, height) in [PHONE, WIDE] {
            for dark in [false, true] {
                self.browser.look(width, height, dark).await;
                let overhang = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
                let fits = || async { self.browser.run(overhang).await == 0 };
                eventually(&format!("{name} fits into {width} pixels"), fits).await;
                let ground = self
                    .browser
                    .run("return getComputedStyle(document.body).backgroundColor")
                    .await;
                let expected = if dark {
                    "rgb(13, 18, 23)"
                } else {
                    "rgb(243, 245, 247)"
                };
                assert_eq!(ground, expected, "{name}");
                let scheme = if dark { "dark" } else { "light" };
                let device = if width == PHONE.0 { "phone" } else { "wide" };
                keep_picture(&self.browser, &format!("status-{name}-{device}-{scheme}")).await;
            }
        }
        self.browser.look(WIDE.0, WIDE.1, false).await;
    }

    /// The page asked only the listener it is from, and the browser had nothing to complain of.
    pub(super) async fn is_clean(&self) {
        let own = self.proxy.admin_url("/");
        let requests = self.browser.requests().await;
        assert!(requests.len() > 5, "the network is watched: {requests:?}");
        let foreign: Vec<_> = requests
            .iter()
            .filter(|url| !url.starts_with(&own))
            .collect();
        assert!(foreign.is_empty(), "{foreign:?}");
        assert_eq!(self.browser.complaints().await, Vec::<String>::new());
    }

    /// What `/status.json` says.
    pub(super) async fn status(&self) -> Value {
        let answer = self.proxy.admin("/status.json").await.whole().await;
        serde_json::from_slice(&answer).expect("JSON")
    }

    /// The sum of a column of the last five minutes.
    pub(super) async fn counted(&self, column: &str) -> u64 {
        let status = self.status().await;
        let columns = status["history"]["columns"].as_array().expect("columns");
        let column = columns
            .iter()
            .position(|it| it == column)
            .expect("it is a column");
        let rows = status["history"]["seconds"]["rows"]
            .as_array()
            .expect("rows");
        rows.iter().filter_map(|row| row[column].as_u64()).sum()
    }
}
