//! Certificates and keys in PEM files, read and checked before anything depends on them.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pingora::protocols::tls::CaType;
use pingora::tls::sign::CertifiedKey;
use pingora::tls::{CryptoProvider, RusTlsError};
use pingora::utils::tls::{CertKey, WrappedX509, parse_x509};
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use terrace_core::Timestamp;
use x509_parser::prelude::{FromDer as _, X509Certificate};

mod listener;
mod watch;

pub use listener::ServerCertificate;
pub use watch::CertificateWatch;

/// The largest PEM file that is read: a bundle of all public authorities has a quarter of it.
const MAX_FILE: u64 = 1 << 20;

/// A certificate or a key that cannot be used. Its texts name the file and say what to do; a key is never printed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: check the path, and that this user may read it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is too large to be what it should be.
    #[error("{} has more than 1 MiB: it is no certificate and no key", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A file has nothing of the kind in it.
    #[error("{} has no {what}: it must be in PEM, with BEGIN and END lines", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// `certificate`, or `private key`.
        what: &'static str,
        /// What was wrong with what is in it.
        source: pem::Error,
    },
    /// What a file has is not understood.
    #[error("{} has a certificate that cannot be understood: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A certificate and a key that do not belong together, or a key of an unknown kind.
    #[error(
        "the key in {} cannot be used with the certificate in {}: is it the key the certificate was made for, and \
         of ECDSA, Ed25519 or RSA with at least 2048 bits?", key.display(), certificate.display()
    )]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        source: RusTlsError,
    },
}

/// The authorities whose signature makes a certificate of an upstream a good one, instead of those of the system.
#[derive(Clone)]
pub struct TrustAnchors {
    certificates: Arc<CaType>,
}

impl TrustAnchors {
    /// Reads all certificates of a PEM file. Reads it once: a changed file needs a new start.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, TlsError> {
        let certificates = certificates(path.as_ref())?;
        Ok(Self {
            certificates: certificates.iter().map(wrapped).collect(),
        })
    }

    pub(crate) fn certificates(&self) -> Arc<CaType> {
        Arc::clone(&self.certificates)
    }
}

impl fmt::Debug for TrustAnchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustAnchors({})", self.certificates.len())
    }
}

/// What this proxy shows an upstream that wants to know who connects (mutual TLS).
#[derive(Clone)]
pub struct ClientIdentity {
    pair: Arc<CertKey>,
}

impl ClientIdentity {
    /// Reads a certificate, its chain after it, and its key from PEM files. Reads them once: changed files need a new
    /// start.
    pub fn read(certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TlsError> {
        let (certificate, key) = (certificate.as_ref(), key.as_ref());
        let chain = certificates(certificate)?;
        let secret = private_key(key)?;
        let der = secret.secret_der().to_vec();
        certified(chain.clone(), secret, certificate, key)?;
        let chain = chain.iter().map(|it| it.to_vec()).collect();
        Ok(Self {
            pair: Arc::new(CertKey::new(chain, der)),
        })
    }

    pub(crate) fn pair(&self) -> Arc<CertKey> {
        Arc::clone(&self.pair)
    }
}

impl fmt::Debug for ClientIdentity {
    /// Leaves the key out (promise P11).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity").finish_non_exhaustive()
    }
}

/// The certificates of a PEM file, one at least, all of them understood.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read(path)?;
    let missing = |source| TlsError::Missing {
        path: path.to_owned(),
        what: "certificate",
        source,
    };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(missing)?;
    if found.is_empty() {
        return Err(missing(pem::Error::NoItemsFound));
    }
    for certificate in &found {
        // Pingora takes for granted that this works.
        X509Certificate::from_der(certificate).map_err(|error| TlsError::Damaged {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|source| TlsError::Missing {
        path: path.to_owned(),
        what: "private key",
        source,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |source| TlsError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    let read = file.take(MAX_FILE + 1).read_to_end(&mut bytes);
    if read.map_err(unreadable)? as u64 > MAX_FILE {
        return Err(TlsError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(bytes)
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    secret: PrivateKeyDer<'static>,
    certificate: &Path,
    key: &Path,
) -> Result<CertifiedKey, TlsError> {
    pingora::tls::install_default_crypto_provider();
    let made = match CryptoProvider::get_default() {
        Some(provider) => CertifiedKey::from_der(chain, secret, provider),
        // It was installed the line before, or somebody else's is there.
        None => Err(RusTlsError::General("no crypto provider".to_owned())),
    };
    made.map_err(|source| TlsError::Mismatch {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source,
    })
}

fn wrapped(certificate: &CertificateDer<'static>) -> WrappedX509 {
    WrappedX509::new(certificate.to_vec(), parse_x509)
}

/// When `certificate` begins and ceases to be good; `None` if that is before 1970, or it cannot be understood.
fn validity(certificate: &CertificateDer<'_>) -> Option<(Timestamp, Timestamp)> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let moment = |seconds: i64| {
        let seconds = u64::try_from(seconds).ok()?;
        Some(Timestamp::from_millis(seconds.saturating_mul(1000)))
    };
    let validity = certificate.validity();
    Some((
        moment(validity.not_before.timestamp())?,
        moment(validity.not_after.timestamp())?,
    ))
}

#[cfg(test)]
mod tests;
