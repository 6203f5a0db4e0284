/// The features a `Cargo.toml` declares, but for `default`, in its order.
///
/// Enough of TOML for that table: one `name = [` to a feature, whose list may go on over lines.
pub(crate) fn declared(manifest: &str) -> Vec<&str> {
    manifest
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "[features]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.trim().trim_matches('"'))
        .filter(|name| is_name(name) && *name != "default")
        .collect()
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_+.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::workspace::cargo;

    /// The crates of which a program has those it is wired of, and no others.
    const ADAPTERS: [&str; 9] = [
        "object-store",
        "sqlite",
        "redis",
        "memcached",
        "s3",
        "minio",
        "ceph",
        "dynamodb",
        "cockroach",
    ];

    /// The adapters that a program of one feature is built with.
    fn adapters_of(feature: &str) -> BTreeSet<String> {
        let mut tree = cargo();
        tree.args(["tree", "-p", "terrace-examples", "--no-default-features"])
            .args([
                "--features",
                feature,
                "--edges",
                "normal",
                "--prefix",
                "none",
            ]);
        let tree = tree.output().expect("cargo runs");
        let said = String::from_utf8_lossy(&tree.stderr);
        assert!(tree.status.success(), "{said}");
        let tree = String::from_utf8(tree.stdout).expect("text");
        let crates = tree.lines().filter_map(|line| line.split(' ').next());
        let ours = crates.filter_map(|name| name.strip_prefix("terrace-"));
        let adapters = ours.filter(|name| ADAPTERS.contains(name));
        adapters.map(str::to_owned).collect()
    }

    #[test]
    fn a_wiring_is_built_with_its_adapters_only() {
        for (feature, expected) in [
            ("embedded", &["object-store", "sqlite"][..]),
            ("dev", &["object-store", "minio", "redis"]),
            ("aws", &["object-store", "s3", "dynamodb", "redis"]),
            ("global", &["object-store", "s3", "cockroach", "redis"]),
            (
                "onprem",
                &["object-store", "ceph", "cockroach", "memcached", "redis"],
            ),
        ] {
            let expected = expected.iter().map(|&name| name.to_owned());
            assert_eq!(adapters_of(feature), expected.collect(), "{feature}");
        }
    }

    #[test]
    fn features_are_read_in_order_without_the_default() {
        let manifest = r#"
[dependencies]
serde = { version = "1", features = ["derive"] }

[features]
default = ["memory"]
# A comment = of no account.
memory = ["dep:terrace-memory"]
"object-store" = [
    "dep:terrace-object-store",
    "memory",
]
proxy = []

[lints]
workspace = true
"#;
        assert_eq!(declared(manifest), ["memory", "object-store", "proxy"]);
        assert!(declared("[package]\nname = \"x\"\n").is_empty());
    }
}
