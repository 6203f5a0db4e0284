use std::fs;

use super::*;

/// A certificate for `localhost` and its key, and the key of another one.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = Self { folder };
        files.renew();
        let other = rcgen::KeyPair::generate().unwrap();
        fs::write(files.path("other.key"), other.serialize_pem()).unwrap();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn renew(&self) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(self.path("a.pem"), made.cert.pem()).unwrap();
        fs::write(self.path("a.key"), made.signing_key.serialize_pem()).unwrap();
    }

    fn server(&self, certificate: &str, key: &str) -> Result<ServerCertificate, TlsError> {
        ServerCertificate::read(self.path(certificate), self.path(key))
    }
}

#[test]
fn what_cannot_be_used_is_named() {
    let files = Files::new();
    fs::write(files.path("empty"), "").unwrap();
    fs::write(
        files.path("garbage"),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    fs::write(files.path("huge"), vec![b' '; (1 << 20) + 1]).unwrap();
    files.server("a.pem", "a.key").unwrap();
    for (certificate, key, told) in [
        ("none", "a.key", "cannot read"),
        ("a.pem", "none", "cannot read"),
        ("empty", "a.key", "has no certificate"),
        ("a.key", "a.key", "has no certificate"),
        ("a.pem", "a.pem", "has no private key"),
        ("garbage", "a.key", "cannot be understood"),
        ("huge", "a.key", "more than 1 MiB"),
        (
            "a.pem",
            "other.key",
            "is it the key the certificate was made for",
        ),
    ] {
        let error = files.server(certificate, key).unwrap_err().to_string();
        assert!(error.contains(told), "{certificate} {key}: {error}");
        let identity = ClientIdentity::read(files.path(certificate), files.path(key));
        assert!(identity.unwrap_err().to_string().contains(told));
    }
    assert!(TrustAnchors::read(files.path("a.pem")).is_ok());
    assert!(TrustAnchors::read(files.path("garbage")).is_err());
}

#[test]
fn a_renewed_certificate_is_read_again_and_half_of_one_is_not() {
    let files = Files::new();
    let certificate = files.server("a.pem", "a.key").unwrap();
    assert!(!certificate.reload().unwrap());
    let old = fs::read(files.path("a.pem")).unwrap();
    files.renew();
    let new = fs::read(files.path("a.pem")).unwrap();
    // The certificate is there, its key is not yet.
    fs::write(files.path("a.pem"), &old).unwrap();
    assert!(certificate.reload().is_err());
    fs::write(files.path("a.pem"), &new).unwrap();
    assert!(certificate.reload().unwrap());
    assert!(!certificate.reload().unwrap());
}

#[test]
fn keys_are_not_printed() {
    let files = Files::new();
    let key = fs::read_to_string(files.path("a.key")).unwrap();
    let line = key.lines().nth(1).unwrap();
    let identity = ClientIdentity::read(files.path("a.pem"), files.path("a.key")).unwrap();
    let certificate = files.server("a.pem", "a.key").unwrap();
    for printed in [format!("{identity:?}"), format!("{certificate:?}")] {
        assert!(!printed.contains(&line[..16]), "{printed}");
        // Nor as a list of numbers.
        assert!(printed.len() < 300, "{printed}");
    }
}
