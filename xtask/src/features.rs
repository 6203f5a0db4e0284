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
    use super::*;

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
