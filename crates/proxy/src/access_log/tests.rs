use std::fs;

use terrace_testkit::SeededRandom;

use super::field::Field;
use super::ids::{Ids, threshold};
use super::queue::Queue;
use super::sink::Sink;
use super::*;

fn format(text: &str) -> Result<AccessLogFormat, String> {
    text.parse()
        .map_err(|error: AccessLogError| error.to_string())
}

#[test]
fn a_format_names_what_there_is() {
    for good in [
        "common",
        "combined",
        "json",
        "",
        "{{{status}}}",
        "{header:X-Forwarded-For}",
    ] {
        format(good).unwrap();
    }
    for (wrong, told) in [
        ("{nothing}", "there is {time}, "),
        ("{status", "no partner"),
        ("status}", "no partner"),
        ("{header:a b}", "there is no {header:a b}"),
        ("{header:Authorization}", "secrets"),
        ("{header:cookie}", "secrets"),
    ] {
        let error = format(wrong).unwrap_err();
        assert!(error.contains(told), "{wrong}: {error}");
    }
}

#[test]
fn every_name_is_in_the_readme() {
    let readme = include_str!("../../README.md");
    for (name, _) in Field::NAMED {
        assert!(readme.contains(&format!("| `{{{name}}}` |")), "{name}");
    }
}

#[test]
fn a_queue_that_is_full_takes_nothing_and_never_waits() {
    let queue = Queue::new(20);
    assert!(queue.push(b"0123456789\n"));
    assert!(!queue.push(b"0123456789\n"));
    assert!(queue.push(b"012345\n"));
    let lines = queue.take();
    assert_eq!(
        (lines.bytes.as_slice(), lines.count),
        (&b"0123456789\n012345\n"[..], 2)
    );
    assert!(queue.push(b"0123456789\n"), "there is room again");
}

#[test]
fn a_sample_is_decided_by_the_name_and_as_large_as_asked_for() {
    let ids = Ids::new(&SeededRandom::new(1));
    let kept = |part: f64| {
        let names = (0..10_000).map(|n| format!("request-{n}"));
        names.filter(|id| ids.hash(id) <= threshold(part)).count()
    };
    assert_eq!(kept(1.0), 10_000);
    assert!((800..1200).contains(&kept(0.1)), "{}", kept(0.1));
    assert!(kept(0.0) <= 1);
    assert_eq!(ids.hash("a"), ids.hash("a"));
    // Who does not know the salt cannot choose a name that is left out.
    assert_ne!(ids.hash("a"), Ids::new(&SeededRandom::new(2)).hash("a"));
    let whole = AccessLog::sampled(
        format("json").unwrap(),
        AccessLogTarget::Stdout,
        1.5,
        &SeededRandom::new(1),
    );
    assert!(whole.unwrap_err().to_string().contains("0.01"));
}

#[test]
fn a_request_keeps_a_plain_name_and_gets_one_instead_of_another() {
    let ids = Ids::new(&SeededRandom::new(1));
    let named = |id: &str| {
        let mut req = pingora::http::RequestHeader::build("GET", b"/", None).unwrap();
        req.insert_header("x-request-id", id).unwrap();
        ids.of(&req).into_owned()
    };
    assert_eq!(named("0af7-6519:a/b"), "0af7-6519:a/b");
    for odd in ["", "a b", "a\"b", &"a".repeat(200)] {
        let given = named(odd);
        assert_eq!(given.len(), 16, "{given}");
    }
    assert_ne!(named(""), named(""));
}

#[test]
fn a_file_that_was_moved_away_is_left_alone_after_it_was_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let sink = Sink::open(AccessLogTarget::File(path.clone())).unwrap();
    let line = |text: &str| {
        let lines = super::queue::Lines {
            bytes: text.into(),
            count: 1,
        };
        assert_eq!(sink.write(|| lines), (1, true));
    };
    line("a\n");
    fs::rename(&path, folder.path().join("access.log.1")).unwrap();
    line("b\n");
    sink.reopen();
    line("c\n");
    assert_eq!(
        fs::read_to_string(folder.path().join("access.log.1")).unwrap(),
        "a\nb\n"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "c\n");

    let nowhere = folder.path().join("no-such-folder").join("access.log");
    let refused = Sink::open(AccessLogTarget::File(nowhere.clone())).unwrap_err();
    assert!(refused.to_string().contains(&nowhere.display().to_string()));
}
