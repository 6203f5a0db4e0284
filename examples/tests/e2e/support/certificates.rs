use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use tempfile::TempDir;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::proxy::folder;

/// An authority of the test's own, and the certificates it has signed, as files.
pub(crate) struct Certificates {
    folder: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        let place = folder();
        let mut params = CertificateParams::new([]).expect("no names are names");
        // Otherwise it would be taken for another one of the same name.
        let name = place.path().to_string_lossy().into_owned();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let this = Self {
            folder: place,
            authority,
        };
        fs::write(this.ca(), this.authority.pem()).expect("room on the disk");
        this
    }

    /// Where the authority's own certificate is.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate for `host`.
    pub(crate) fn issue(&self, file: &str, host: &str) -> Pair {
        self.issue_until(file, host, 4000)
    }

    /// A certificate for `host` that ends with `year`.
    pub(crate) fn issue_until(&self, file: &str, host: &str, year: i32) -> Pair {
        let mut params = CertificateParams::new([host.to_owned()]).expect("a name");
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.authority);
        let pair = self.pair(file);
        fs::write(&pair.certificate, signed.expect("a certificate").pem())
            .and_then(|()| fs::write(&pair.key, key.serialize_pem()))
            .expect("room on the disk");
        pair
    }

    fn pair(&self, file: &str) -> Pair {
        Pair {
            certificate: self.folder.path().join(format!("{file}.pem")),
            key: self.folder.path().join(format!("{file}.key")),
        }
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).expect("a root");
        Arc::new(roots)
    }

    /// For a server that shows `pair`, speaks `protocol`, and wants its clients to have a certificate if `mutual`.
    pub(crate) fn acceptor(&self, pair: &Pair, protocol: &str, mutual: bool) -> TlsAcceptor {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions();
        let builder = builder.expect("TLS 1.3 is there");
        let builder = if mutual {
            let verifier = WebPkiClientVerifier::builder_with_provider(self.roots(), provider);
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        } else {
            builder.with_no_client_auth()
        };
        let chain = vec![CertificateDer::from_pem_file(&pair.certificate).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_file(&pair.key).expect("a key");
        let mut config = builder.with_single_cert(chain, key).expect("they match");
        config.alpn_protocols = vec![protocol.into()];
        TlsAcceptor::from(Arc::new(config))
    }

    /// For a client that trusts the authority only, and offers `protocols`.
    pub(crate) fn connector(&self, protocols: &[&str]) -> TlsConnector {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions();
        let builder = builder.expect("TLS 1.3 is there");
        let builder = builder.with_root_certificates(self.roots());
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|it| (*it).into()).collect();
        TlsConnector::from(Arc::new(config))
    }
}

/// A certificate and its key.
pub(crate) struct Pair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Pair {
    /// As arguments of two options.
    pub(crate) fn args<'a>(&'a self, certificate: &'a str, key: &'a str) -> [&'a str; 4] {
        [certificate, text(&self.certificate), key, text(&self.key)]
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a path of plain text")
}
