use super::*;

fn file(path: &str, text: &str) -> File {
    File {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

fn furnished() -> Vec<File> {
    vec![
        file(
            "README.md",
            "| crate | |\n|---|---|\n| [core](crates/core) | the traits |\n",
        ),
        file(
            "crates/core/Cargo.toml",
            "[package]\n\n[lints]\nworkspace = true\n",
        ),
        file("crates/core/README.md", "# core\n\nThe traits.\n"),
        file(
            "crates/core/CHANGELOG.md",
            "# Changelog\n\n## [Unreleased]\n",
        ),
    ]
}

#[test]
fn a_tidy_tree_has_no_findings() {
    assert_eq!(findings(&furnished(), &[]), Vec::<String>::new());
}

#[test]
fn every_missing_piece_of_a_crate_is_found() {
    for (index, expected) in [
        (0, "README.md: no table row names crates/core"),
        (2, "crates/core: no README.md"),
        (3, "crates/core: no CHANGELOG.md"),
    ] {
        let mut files = furnished();
        files.remove(index);
        let findings = findings(&files, &[]);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].starts_with(expected), "{findings:?}");
    }
    let mut files = furnished();
    files[1] = file("crates/core/Cargo.toml", "[package]\n");
    assert_eq!(findings(&files, &[]).len(), 1);
}

#[test]
fn a_row_names_a_crate_by_its_whole_name() {
    assert!(mentions("| [core](crates/core) |", "crates/core"));
    assert!(mentions("| `crates/core` |", "crates/core"));
    assert!(!mentions("| [core](crates/core-extra) |", "crates/core"));
    assert!(!mentions("| core |", "crates/core"));
}

#[test]
fn long_files_need_a_reason() {
    let long = "fn f() {}\n".repeat(MAX_LINES + 1);
    assert!(
        too_long(&file("a.rs", &long))
            .unwrap()
            .starts_with("a.rs: 451 lines")
    );
    assert_eq!(too_long(&file("a.md", &long)), None);
    assert_eq!(too_long(&file("a.rs", &"\n".repeat(MAX_LINES))), None);
    let excused = format!("{LONG_NOTE}it is a table\n{long}");
    assert_eq!(too_long(&file("a.rs", &excused)), None);
}

#[test]
fn paths_of_one_machine_are_found_with_their_line() {
    let own = ["/srv/checkout/".to_owned()];
    for (text, expected) in [
        (
            "ok\nsee /srv/checkout/x",
            Some("a.md:2: a path of one machine"),
        ),
        (
            concat!("/home", "/somebody/x"),
            Some("a.md:1: a path of one machine"),
        ),
        (
            concat!("C /Users", "/somebody"),
            Some("a.md:1: a path of one machine"),
        ),
        ("/home/ is a folder", None),
        ("https://example.com/users/a", None),
    ] {
        assert_eq!(
            machine_path(&file("a.md", text), &own).as_deref(),
            expected,
            "{text}"
        );
    }
}
