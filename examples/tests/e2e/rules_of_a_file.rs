//! A configuration file: what it says holds, and what is wrong with it is told with its place.

use std::fs;

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HOST, SET_COOKIE};

use crate::support::{Answer, Content, KIB, Origin, Proxy, Reply, Setup, folder};

/// A proxy with `rules` in its file, in front of an origin that lets everything be stored for an hour, but what is below
/// `/no-store`, and sets a cookie below `/feed`.
async fn start(rules: &str) -> (Origin, Proxy, tempfile::TempDir) {
    let origin = Origin::start(|seen| {
        let answer = Answer::new(Content::new(1, 4 * KIB));
        if seen.path.contains("missing") {
            return answer.status(StatusCode::NOT_FOUND);
        }
        if seen.path.starts_with("/feed") {
            let answer = answer.header(CACHE_CONTROL, "no-store");
            return answer.header(SET_COOKIE, "session=1");
        }
        answer
    })
    .await;
    let data = folder();
    let file = data.path().join("terrace.toml");
    fs::write(&file, rules).expect("room on the disk");
    let setup = Setup::new(origin.address, &data.path().join("data"));
    let proxy = setup.arg("--config").arg(&file).start().await;
    (origin, proxy, data)
}

fn status(reply: &Reply) -> &str {
    let status = reply.headers.get("cache-status");
    status.map_or("", |it| it.to_str().expect("text"))
}

/// What `Cache-Status` says of a request for `path`.
async fn told(proxy: &Proxy, path: &str) -> String {
    let reply = proxy.get(path).await;
    let told = status(&reply).to_owned();
    reply.whole().await;
    told
}

async fn told_to(proxy: &Proxy, path: &str, header: (&'static str, &str)) -> String {
    let reply = proxy
        .ask("GET", path)
        .header(header.0, header.1)
        .send()
        .await;
    let told = status(&reply).to_owned();
    reply.whole().await;
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn equivalent_urls_are_one_object_and_one_purge() {
    let (origin, proxy, _data) = start(
        r#"
        [key.path]
        decode_unreserved = true
        remove_dot_segments = true
        merge_slashes = true
        [key.query]
        drop = ["utm_*"]
        sort = true
        [host_alias]
        "www.e2e.example" = "e2e.example"
        "#,
    )
    .await;
    assert!(
        told(&proxy, "/x/../a//%62?utm_source=1&d=1&c=2")
            .await
            .contains("stored")
    );
    // The origin was asked for what the key says.
    assert_eq!(origin.last().path, "/a/b?c=2&d=1");
    for same in ["/a/b?c=2&d=1", "/a/b?d=1&c=2&utm_x", "/a/./%62?c=2&d=1&"] {
        assert!(told(&proxy, same).await.contains("hit"), "{same}");
    }
    let by_alias = proxy.ask("GET", "/a/b?c=2&d=1").host("WWW.e2e.example");
    let by_alias = by_alias.send().await;
    assert!(status(&by_alias).contains("hit"));
    by_alias.whole().await;
    assert_eq!(proxy.purge("//a/b?utm_y&d=1&c=2").await, StatusCode::OK);
    let by_alias = proxy.ask("GET", "/a/b?c=2&d=1").host("www.e2e.example");
    let by_alias = by_alias.send().await;
    assert!(status(&by_alias).contains("fwd=uri-miss"));
    by_alias.whole().await;
    assert_eq!(origin.last().header(HOST), "e2e.example");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_lets_requests_pass_by() {
    let (origin, proxy, _data) = start(
        r#"
        [[rule]]
        path = "/account/*"
        cache = "bypass"
        [[rule]]
        bypass_cookies = ["logged_in_*"]
        "#,
    )
    .await;
    let bypass = "fwd=bypass; detail=rule";
    assert!(told(&proxy, "/account/1").await.contains(bypass));
    assert!(told(&proxy, "/account/1").await.contains(bypass));
    assert_eq!(origin.count("/account/1"), 2);
    let as_member = told_to(&proxy, "/page", ("cookie", "a=b; logged_in_x=1")).await;
    assert!(
        as_member.contains("fwd=bypass; detail=cookie"),
        "{as_member}"
    );
    assert!(told(&proxy, "/page").await.contains("stored"));
    let as_guest = told_to(&proxy, "/page", ("cookie", "a=b")).await;
    assert!(as_guest.contains("hit"), "{as_guest}");
    // One server reads an account in it, another one does not.
    let two_ways = told(&proxy, "/account/../page").await;
    assert!(two_ways.contains("detail=ambiguous-path"), "{two_ways}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_says_for_how_long() {
    let (_origin, proxy, _data) = start(
        r#"
        [[rule]]
        path = "/feed/*"
        cache = "force"
        ttl = { fixed = "20s" }
        remove_set_cookie = true
        [[rule]]
        path = "/short/*"
        ttl = { max = "90s" }
        [rule.ttl_by_status]
        404 = { fixed = "7s" }
        "#,
    )
    .await;
    let feed = proxy.get("/feed/1").await;
    assert!(
        status(&feed).contains("stored; ttl=20"),
        "{}",
        status(&feed)
    );
    assert!(!feed.headers.contains_key(SET_COOKIE));
    feed.whole().await;
    assert!(told(&proxy, "/feed/1").await.contains("hit"));
    assert!(told(&proxy, "/short/1").await.contains("ttl=90"));
    assert!(told(&proxy, "/short/missing").await.contains("ttl=7"));
    assert!(told(&proxy, "/other/1").await.contains("ttl=3600"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_says_where() {
    let (origin, proxy, _data) = start(
        r#"
        [[rule]]
        path = "/memory/*"
        store = { tiers = ["L0"] }
        [[rule]]
        path = "/disk/*"
        store = { tiers = ["L3"] }
        [[rule]]
        path = "/second/*"
        store = { tiers = ["L3"], second_request = true }
        [[rule]]
        path = "/small/*"
        store = { max_bytes = "1KiB" }
        "#,
    )
    .await;
    told(&proxy, "/memory/1").await;
    assert!(told(&proxy, "/memory/1").await.contains("detail=L0"));
    assert!(told(&proxy, "/small/1").await.contains("detail=too-large"));
    told(&proxy, "/disk/1").await;
    proxy.durable_commits(1).await;
    // The second hit is no promotion of the first one either.
    for _ in 0..2 {
        assert!(told(&proxy, "/disk/1").await.contains("detail=L3"));
    }
    told(&proxy, "/second/1").await;
    told(&proxy, "/second/1").await;
    assert_eq!(origin.count("/second/1"), 2);
    proxy.durable_commits(2).await;
    assert!(told(&proxy, "/second/1").await.contains("detail=L3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn chosen_headers_and_cookies_are_variants_and_a_tenant_is_a_cache_of_its_own() {
    let (_origin, proxy, _data) = start(
        r#"
        [key]
        headers = ["x-device"]
        cookies = ["currency"]
        tenant = { header = "x-tenant" }
        "#,
    )
    .await;
    let phone = ("x-device", "phone");
    let euro = ("cookie", "session=2; currency=EUR");
    assert!(told(&proxy, "/").await.contains("fwd=uri-miss; stored"));
    assert!(
        told_to(&proxy, "/", phone)
            .await
            .contains("fwd=vary-miss; stored")
    );
    assert!(told_to(&proxy, "/", phone).await.contains("hit"));
    assert!(
        told_to(&proxy, "/", euro)
            .await
            .contains("fwd=vary-miss; stored")
    );
    assert!(
        told_to(&proxy, "/", ("cookie", "currency=EUR"))
            .await
            .contains("hit")
    );
    let tenant = ("x-tenant", "a");
    assert!(
        told_to(&proxy, "/", tenant)
            .await
            .contains("fwd=uri-miss; stored")
    );
    // All variants, and no other tenant's.
    assert_eq!(proxy.purge("/").await, StatusCode::OK);
    assert!(told_to(&proxy, "/", phone).await.contains("stored"));
    assert!(told_to(&proxy, "/", tenant).await.contains("hit"));
}

#[tokio::test(flavor = "multi_thread")]
async fn options_and_variables_come_before_the_file() {
    let data = folder();
    let file = data.path().join("terrace.toml");
    let text = "[server]\ngrace = \"1m\"\nthreads = 2\n[tiers]\nl0_bytes = \"64MiB\"\n";
    fs::write(&file, text).expect("room on the disk");
    let help = Setup::bare().env("TERRACE_CONFIG", file.to_str().expect("text"));
    let help = help.arg("--help").ends().await;
    for default in [
        "[default: 1m]",
        "[default: 2]",
        "[default: 64MiB]",
        "[default: 2MiB]",
    ] {
        assert!(help.stdout.contains(default), "{default}: {help:?}");
    }
    let check = || {
        let check = Setup::bare().arg("--check-config");
        check.arg("--config").arg(&file)
    };
    let checked = check().ends().await;
    assert!(checked.status.success(), "{checked:?}");
    assert!(checked.stdout.contains("valid"), "{checked:?}");
    // A gate of 2 MiB needs more memory than the option leaves.
    let overridden = check().args(["--l0-bytes", "4MiB"]).ends().await;
    assert!(overridden.stderr.contains("--l0-gate"), "{overridden:?}");
    let overridden = check().env("TERRACE_L0_BYTES", "4MiB").ends().await;
    assert!(overridden.stderr.contains("--l0-gate"), "{overridden:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_file_is_valid() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/terrace.toml");
    let checked = Setup::bare().args(["--check-config", "--config", file]);
    let checked = checked.ends().await;
    assert!(checked.status.success(), "{checked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_is_told_with_its_place() {
    let place = folder();
    let file = place.path().join("terrace.toml");
    for (text, told) in MISTAKES {
        fs::write(&file, text).expect("room on the disk");
        let setup = Setup::bare().arg("--check-config").arg("--config");
        let ended = setup.arg(&file).ends().await;
        assert_eq!(ended.status.code(), Some(1), "{text}: {ended:?}");
        let expected = format!("terrace: {}: {told}\n", file.display());
        assert_eq!(ended.stderr, expected, "{text}");
    }
    let missing = place.path().join("none.toml");
    let ended = Setup::bare().arg("--config").arg(&missing).ends().await;
    assert!(
        ended
            .stderr
            .contains("none.toml: cannot be read: No such file"),
        "{ended:?}"
    );
}

/// Files, and the whole of what is said of them.
const MISTAKES: [(&str, &str); 32] = [
    ("x = [", "line 1: unclosed array, expected `]`"),
    (
        "[tiers]\n\nl0 = 1",
        "line 3: `tiers.l0`: `embedded` has no such setting, but l0_bytes, l0_gate, no_l0, gc_interval, data, durability",
    ),
    (
        "[redis]\nurl = \"redis://127.0.0.1\"",
        "line 2: `redis.url`: `embedded` has no Redis",
    ),
    (
        "\n[rule]\n",
        "line 2: invalid type: map, expected a sequence, in `rule`",
    ),
    (
        "[purge]\ntoken = \"s3cret\"",
        "line 2: unknown field `token`, expected one of `allow`, `token_file`, `token_only`, in `purge`",
    ),
    (
        "[server]\nthreads = 0",
        "line 2: `server.threads`: number would be zero for non-zero type",
    ),
    (
        "[server]\ntls_listen = \"127.0.0.1:0\"",
        "line 2: `server.tls_listen`: TLS needs a certificate and its key: `tls_cert`, `tls_key`",
    ),
    (
        "[server]\ntls_listen = \"127.0.0.1:0\"\ntls_cert = \"cert.pem\"",
        "line 3: `server.tls_cert`: a certificate needs its key: `tls_key`",
    ),
    (
        "[server]\nno_http2 = true\nlisten_h2c = true",
        "line 3: `server.listen_h2c`: it contradicts `no_http2`",
    ),
    (
        "[tiers]\n\nl0_bytes = \"12 apples\"",
        "line 3: `tiers.l0_bytes`: \"12 apples\" is not a number of bytes: write for example 64MiB, 2GB or 65536",
    ),
    (
        "[tiers]\ndurability = \"maybe\"",
        "line 2: `tiers.durability`: \"maybe\" is not one of its values: power-loss, process-end",
    ),
    (
        "[cache]\nmax_ranges = 0",
        "line 2: `cache.max_ranges`: `max_ranges` is zero: it must be at least 1 (durations: at least one millisecond)",
    ),
    (
        "[cache]\ndefault_ttl = 10",
        "line 2: invalid type: integer `10`, expected a duration with a unit, such as \"90s\", \"10m\" or \"1h 30m\", in `cache.default_ttl`",
    ),
    (
        "[purge]\nallow = [\"10.0.0.0/99\"]",
        "line 2: \"10.0.0.0/99\" is neither a network nor an address: write 10.0.0.0/8 or 192.0.2.7, in `purge.allow`",
    ),
    (
        "[purge]\ntoken_file = \"/no/such/file\"",
        "line 2: `purge.token_file`: the purge token's file /no/such/file cannot be read: No such file or directory (os error 2)",
    ),
    (
        "[[rule]]\npath = \"/a\"\n\n# Another one.\n[[rule]]\nttl.min = \"2m\"\nttl.max = \"1m\"",
        "rule 2 (`[[rule]]` at line 5): `ttl.max` is less than `ttl.min`",
    ),
    (
        "[[rule]]\nttl = { fixed = \"1m\", min = \"1s\" }",
        "rule 1 (`[[rule]]` at line 1): `ttl.fixed` leaves nothing for `ttl.default`, `ttl.min` or `ttl.max` to do",
    ),
    (
        "[[rule]]\ncache = \"force\"",
        "rule 1 (`[[rule]]` at line 1): `cache = \"force\"` needs `ttl.fixed` or `ttl.default`: for how long?",
    ),
    (
        "[[rule]]\ncache = \"bypass\"\nstore.max_bytes = \"1MiB\"",
        "rule 1 (`[[rule]]` at line 1): `cache = \"bypass\"` stores nothing: `ttl`, `ttl_by_status` and `store` have nothing to do",
    ),
    (
        "[[rule]]\ncache = \"never\"",
        "line 2: unknown variant `never`, expected one of `normal`, `bypass`, `force`, in `rule.cache`",
    ),
    (
        "[[rule]]\nhost = \"http://a\"",
        "line 2: \"http://a\" is not a host: write example.org, or *.example.org for all hosts below it; names of other alphabets in Punycode, no port, in `rule.host`",
    ),
    (
        "[[rule]]\npath = \"/a?b=*\"",
        "rule 1 (`[[rule]]` at line 1): `path`: \"/a?b=*\" matches no path: a rule does not see the query; what of it matters is said by `key.query`",
    ),
    (
        "[[rule]]\n[rule.ttl_by_status]\n304 = { max = \"1s\" }",
        "line 3: \"304\" is not a status that can be cached: write for example 404, or 5xx for all that begin with 5, in `rule.ttl_by_status`",
    ),
    (
        "[[rule]]\nstore.tiers = [\"L9\"]",
        "line 2: \"L9\" is no tier: write L0, L1, L2 or L3, in `rule.store.tiers`",
    ),
    (
        "[key]\nquery = { ignore = true, sort = true }",
        "line 1: `key.query.ignore` leaves nothing for `keep`, `drop` or `sort` to do",
    ),
    (
        "[upstreams.api]\nservers = [\"127.0.0.1:1\"]\n\n[[rule]]\nupstream = \"apis\"",
        "rule 1 (`[[rule]]` at line 4): `upstream`: \"apis\" is no group of upstreams: there is api",
    ),
    (
        "[[rule]]\nupstream = \"api\"",
        "rule 1 (`[[rule]]` at line 1): `upstream`: \"api\" is no group of upstreams: there is none",
    ),
    (
        "\n[upstreams.default]\nservers = [\"127.0.0.1:1\"]",
        "line 2: `upstreams.default`: \"default\" is no name for an upstream group: use letters, digits, '-', '_' or '.', and not \"default\"",
    ),
    (
        "[upstreams.api]\nservers = []",
        "line 1: `upstreams.api`: `servers of an upstream group` is zero: it must be at least 1 (durations: at least one millisecond)",
    ),
    (
        "[upstreams.api]\nservers = [{ address = \"127.0.0.1:1\", wait = 3 }]",
        "line 2: unknown field `wait`, expected one of `address`, `weight`, `http2`, `tls_name`, `ca`, `cert`, `key`, `verify`, `connect_timeout`, `read_timeout`, `write_timeout`, `idle_timeout`, `total_timeout`, `resolve_every`, in `upstreams.api.servers`",
    ),
    (
        "[upstreams.api]\nservers = [{ address = \"https://127.0.0.1:1\", ca = \"/no/such/file\" }]",
        "line 1: `upstreams.api`: cannot read /no/such/file: check the path, and that this user may read it: No such file or directory (os error 2)",
    ),
    (
        "[host_alias]\n\"www.example.org\" = \"a b\"",
        "line 1: `host_alias`: \"a b\" is not HOST or HOST:PORT",
    ),
];
