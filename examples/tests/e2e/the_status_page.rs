//! The status page as an operator sees it, in a real browser: nothing happened, much happened, a tier is down, the
//! proxy is gone.

use std::path::Path;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::support::{
    Answer, Browser, Content, Gate, Origin, Setup, are_pictures_wanted, eventually, folder,
    keep_picture,
};

use scene::Scene;
use traffic::{busy, two_minutes};

mod scene;
mod traffic;

const TOKEN: &str = "a-token-for-4711";
#[tokio::test(flavor = "multi_thread")]
async fn when_nothing_has_happened() {
    let Some(scene) = Scene::set(&Gate::new(), |setup| setup).await else {
        return;
    };
    let browser = &scene.browser;
    browser.shows("#verdict", "Healthy").await;
    browser
        .shows("#verdict", "no request within the last minute")
        .await;
    browser.shows("#tiers", "L0").await;
    browser.shows("#tiers", "L3").await;
    browser.shows("#upstreams", "healthy").await;
    browser
        .shows("#top-note", "Nothing was asked for yet")
        .await;
    browser.shows("#charts", "no requests in this time").await;
    assert_eq!(
        browser
            .run("return document.querySelectorAll('.tier').length")
            .await,
        2
    );
    assert_eq!(
        browser
            .run("return document.querySelectorAll('.badge[data-state=ok]').length")
            .await,
        3,
        "two tiers and the origin"
    );
    scene.is_presentable("empty").await;

    // Keyboard alone: each control can be reached, and has a name.
    let unnamed =
        "return [...document.querySelectorAll('a, button, input, [tabindex]')].filter(it =>
        !(it.textContent.trim() || it.getAttribute('aria-label') || it.labels?.length)).length";
    assert_eq!(browser.run(unnamed).await, 0);
    scene.is_clean().await;
    scene.browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_much_has_happened() {
    let gate = Gate::new();
    let with_token = |setup: Setup| {
        setup
            .env("TERRACE_PURGE_TOKEN", TOKEN)
            .arg("--purge-token-only")
    };
    let Some(scene) = Scene::set(&gate, with_token).await else {
        return;
    };
    let browser = &scene.browser;
    // The worst that Pingora lets pass: it refuses a target with `<`.
    let hostile = "/\"onload='document.title=1'&amp;{{7*7}}%3Cscript%3E";
    busy(&scene, &gate, hostile).await;

    browser.shows("#verdict", "Healthy").await;
    browser.shows("#figures", "%").await;
    for (column, least) in [("hit", 100), ("miss", 20), ("collapsed", 5), ("pass", 10)] {
        let summed = format!("{column} in the history");
        eventually(&summed, async || scene.counted(column).await >= least).await;
    }
    let ratio = browser.text("#figures dd").await;
    let ratio: f64 = ratio.trim_end_matches(" %").parse().expect("a number");
    assert!((10.0..99.9).contains(&ratio), "{ratio}");
    // Every chart has lines or areas by now.
    let drawn = "return [...document.querySelectorAll('.chart')].filter(it => it.querySelector('.plot path[d^=M]')).length";
    eventually("the charts are drawn", async || {
        browser.run(drawn).await == 4
    })
    .await;
    browser.shows("#top", "/popular/0").await;

    browser.shows("#top", hostile).await;
    makes_no_markup_of_text(browser).await;
    reads_a_chart_by_keyboard(browser).await;
    if are_pictures_wanted() {
        two_minutes(&scene).await;
    }
    scene.is_presentable("busy").await;
    scene.is_clean().await;
    purges(&scene).await;
    scene.browser.close().await;
}

/// What is in a URL is text, and stays text, whatever the server might let pass one day.
async fn makes_no_markup_of_text(browser: &Browser) {
    let hostile = "http://x/<img src=x onerror=\"window.taken=1\"><script>window.taken=1</script>";
    let shown = browser
        .run_with(
            "const { showTop } = await import('./status/top.js');
             const ranked = { total: 1, heaviest: [{ url: arguments[0], cut: false, weight: 1 }] };
             showTop({ top: { requests: ranked, bytes: ranked } });
             const link = document.querySelector('#top a');
             const shown = [link.textContent, link.children.length, link.protocol,
               document.querySelectorAll('main img, main script').length];
             await new Promise(done => setTimeout(done, 200));
             return [...shown, 'taken' in window];",
            [json!(hostile)],
        )
        .await;
    assert_eq!(shown, json!([hostile, 0, "http:", 0, false]));
}

async fn reads_a_chart_by_keyboard(browser: &Browser) {
    let told = browser
        .run(
            "const plot = document.querySelector('.plot');
             plot.focus();
             const press = key => plot.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
             press('End'); press('ArrowLeft');
             const shown = !plot.querySelector('.tip').hidden && plot.getAttribute('aria-valuetext');
             press('Escape');
             return [shown, plot.querySelector('.tip').hidden];",
        )
        .await;
    let text = told[0].as_str().unwrap_or_else(|| panic!("{told}"));
    assert!(
        text.contains("of requests") && text.contains("of bytes"),
        "{text}"
    );
    assert_eq!(told[1], true);
}

async fn purges(scene: &Scene) {
    let browser = &scene.browser;
    let is_hit = async |path: &str| {
        let reply = scene.proxy.get(path).await;
        let cache = reply.cache();
        reply.whole().await;
        cache.starts_with("hit")
    };
    assert!(is_hit("/popular/0").await);

    // The list proposes what to purge.
    browser.shows("#top", "/popular/0").await;
    let purge_first = "const row = [...document.querySelectorAll('#top li')].find(it =>
        it.firstChild.textContent.endsWith('/popular/0')); row.querySelector('button').click()";
    browser.run(purge_first).await;
    let proposed = browser
        .run("return document.querySelector('#purge-url').value")
        .await;
    assert_eq!(proposed, "http://e2e.example/popular/0");
    browser.shows("#token-note", "required").await;

    browser.click("#purge button").await;
    browser.shows("#purge-result", "403").await;
    browser.fill("#purge-token", "another-token").await;
    browser.click("#purge button").await;
    browser.shows("#purge-result", "403").await;
    assert!(is_hit("/popular/0").await, "nobody has purged it");

    browser.fill("#purge-token", TOKEN).await;
    browser.click("#purge button").await;
    browser.shows("#purge-result", "200: purged").await;
    assert!(!is_hit("/popular/0").await, "it was purged");

    browser
        .fill("#purge-url", "http://e2e.example/never-asked-for")
        .await;
    browser.click("#purge button").await;
    browser.shows("#purge-result", "404").await;
    browser.fill("#purge-url", "/popular/1").await;
    browser.click("#purge button").await;
    browser.shows("#purge-result", "400").await;
    browser
        .fill("#purge-url", "http://e2e.example/popular/1")
        .await;
    browser.click("input[value=soft]").await;
    browser.click("#purge button").await;
    browser.shows("#purge-result", "200: marked stale").await;

    // The token is kept nowhere.
    let kept = "return [location.href, JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie,
        document.body.innerText].join()";
    let kept = browser.run(kept).await.to_string();
    assert!(!kept.contains(TOKEN), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_tier_is_down_and_when_the_proxy_is() {
    let gate = Gate::new();
    let Some(scene) = Scene::set(&gate, |setup| setup).await else {
        return;
    };
    for object in 0..20 {
        scene.get(&format!("/before/{object}")).await;
        scene.get(&format!("/before/{object}")).await;
    }
    scene.proxy.durable_commits(20).await;
    let mut index = lose_index(scene.data.path()).await;
    // Requests that need the tier find out; they are served all the same.
    let mut object = 0;
    eventually("the breaker opens", async || {
        object += 1;
        scene.get(&format!("/during/{object}")).await;
        scene.status().await["status"] == "degraded"
    })
    .await;

    let browser = &scene.browser;
    browser.shows("#verdict", "Degraded").await;
    browser.shows("#verdict", "L3 (durable)").await;
    // Nothing but the tier is said to be ill.
    let state =
        "return [...document.querySelectorAll('.tier')].map(it => it.dataset.breaker === 'closed')";
    assert_eq!(browser.run(state).await, json!([true, false]));
    let title = browser.run("return document.title").await.to_string();
    assert!(title.contains("Degraded"), "{title}");
    while_it_is_down(&scene).await;

    sqlx::query("ALTER TABLE lost RENAME TO manifests")
        .execute(&mut index)
        .await
        .expect("the table is back");
    index.close().await.expect("it can be closed");
    eventually("the tier is tried again, and is well", async || {
        object += 1;
        scene.get(&format!("/after/{object}")).await;
        scene.status().await["status"] == "ok"
    })
    .await;
    browser.shows("#verdict", "Healthy").await;
    scene.is_clean().await;

    let Scene { browser, proxy, .. } = scene;
    proxy.kill().await;
    browser.shows("#link", "connection lost").await;
    browser.shows("#lost", "Connection lost").await;
    browser.shows("#lost", "ago").await;
    keep_picture(&browser, "status-lost-wide-light").await;
    browser.close().await;
}

/// Pictures with the breaker open, and not half open as it is after a while.
async fn while_it_is_down(scene: &Scene) {
    let more = async {
        for object in 0.. {
            scene.get(&format!("/meanwhile/{object}")).await;
            scene.get("/before/7").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = more => {}
        () = scene.is_presentable("tier-down") => {}
    }
}

/// The index without its table: every lookup in the durable tier fails.
async fn lose_index(data: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(data.join("index.db"));
    let mut index = options.connect().await.expect("the database can be opened");
    sqlx::query("ALTER TABLE manifests RENAME TO lost")
        .execute(&mut index)
        .await
        .expect("the table is renamed");
    index
}

#[tokio::test(flavor = "multi_thread")]
async fn other_pages_cannot_make_a_browser_purge() {
    let origin = Origin::start(|_| Answer::new(Content::new(1, 100))).await;
    let data = folder();
    let proxy = Setup::new(origin.address, data.path()).start().await;
    proxy.get("/page").await.whole().await;
    let order = r#"{"url":"http://e2e.example/page"}"#;
    let own = proxy.admin_url("");
    let post = |headers: &[(&'static str, &str)]| {
        let mut ask = proxy.ask_admin("POST", "/purge").body(order);
        for (name, value) in headers {
            ask = ask.header(name, value);
        }
        ask.host(own.trim_start_matches("http://")).send()
    };
    let json = ("content-type", "application/json");
    for refused in [
        vec![],
        vec![("content-type", "text/plain")],
        vec![json, ("origin", "http://evil.example")],
        vec![json, ("sec-fetch-site", "cross-site")],
    ] {
        let reply = post(&refused).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{refused:?}");
        assert_eq!(reply.header("access-control-allow-origin"), "");
    }
    let hit = proxy.get("/page").await;
    assert_eq!(hit.cache(), "hit; detail=L0");
    let reply = post(&[json, ("origin", &own)]).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(proxy.get("/page").await.cache(), "fwd=uri-miss; stored");
}
