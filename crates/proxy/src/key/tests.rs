use pingora::cache::key::CacheHashKey;

use super::*;

fn digest(scheme: Scheme, authority: &str, target: &str) -> [u8; 16] {
    cache_key(scheme, authority.as_bytes(), target.as_bytes()).primary_bin()
}

#[test]
fn spellings_of_one_authority_are_one_key() {
    let plain = digest(Scheme::Http, "example.com", "/");
    for same in ["EXAMPLE.com", "example.com:80", "example.com:"] {
        assert_eq!(digest(Scheme::Http, same, "/"), plain, "{same}");
    }
    let v6 = digest(Scheme::Https, "[::1]", "/");
    assert_eq!(digest(Scheme::Https, "[::1]:443", "/"), v6);
}

#[test]
fn what_differs_has_another_key() {
    let urls = [
        (Scheme::Http, "example.com", "/a"),
        (Scheme::Https, "example.com", "/a"),
        (Scheme::Http, "example.com:443", "/a"),
        (Scheme::Http, "example.com", "/A"),
        (Scheme::Http, "example.com", "/a?"),
        (Scheme::Http, "example.com", "/%61"),
        (Scheme::Http, "example.com/", "a"),
        (Scheme::Http, "example.co", "m/a"),
        (Scheme::Http, "[::1]", "/a"),
        (Scheme::Http, "[::]", "/a"),
        (Scheme::Http, "", "/a"),
    ];
    for (i, a) in urls.iter().enumerate() {
        for b in &urls[i + 1..] {
            assert_ne!(digest(a.0, a.1, a.2), digest(b.0, b.1, b.2), "{a:?} {b:?}");
        }
    }
}
