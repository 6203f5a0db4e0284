use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use pingora::listeners::tls::TlsSettings;
use pingora::protocols::ALPN;
use pingora::tls::sign::CertifiedKey;
use pingora::tls::{ClientHello, ResolvesServerCert};
use terrace_core::{Clock, SystemClock, Timestamp};

use super::{TlsError, certificates, certified, private_key, validity};

/// A certificate that ends sooner than this is worth a warning.
const SOON: Duration = Duration::from_hours(7 * 24);

/// The certificate and key of a listener, from PEM files; the certificate's chain follows it in its file.
///
/// Clones share what was read last. A connection gets the certificate that is current when it is made; those that are
/// open keep theirs.
#[derive(Clone)]
pub struct ServerCertificate {
    shared: Arc<Shared>,
}

struct Shared {
    certificate: PathBuf,
    key: PathBuf,
    clock: Arc<dyn Clock>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl ServerCertificate {
    /// Reads both files, and checks that they belong together. Warns of a certificate that is not good yet, not any
    /// more, or not for another week.
    pub fn read(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, TlsError> {
        Self::read_at(certificate.into(), key.into(), Arc::new(SystemClock))
    }

    pub(super) fn read_at(
        certificate: PathBuf,
        key: PathBuf,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TlsError> {
        let current = load(&certificate, &key)?;
        let shared = Shared {
            certificate,
            key,
            clock,
            current: RwLock::new(Arc::new(current)),
        };
        shared.warn_of_its_age();
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Reads both files again, and says whether they hold another certificate than before. On an error, the one that
    /// is in use stays.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let Shared {
            certificate, key, ..
        } = &*self.shared;
        let read = load(certificate, key)?;
        let mut current = self.shared.current.write();
        if current.cert == read.cert {
            return Ok(false);
        }
        *current = Arc::new(read);
        drop(current);
        self.shared.warn_of_its_age();
        Ok(true)
    }

    /// The file the certificate is from.
    pub fn path(&self) -> &Path {
        &self.shared.certificate
    }

    /// What Pingora needs to listen with it: TLS 1.2 and 1.3, and HTTP/2 for clients that know it if `http2`.
    pub fn settings(&self, http2: bool) -> pingora::Result<TlsSettings> {
        // The paths go unused: the resolver has what is in them.
        let mut settings = TlsSettings::intermediate("", "")?;
        settings.set_cert_resolver(Arc::clone(&self.shared) as _);
        settings.set_alpn(if http2 { ALPN::H2H1 } else { ALPN::H1 });
        Ok(settings)
    }
}

fn load(certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let chain = certificates(certificate)?;
    certified(chain, private_key(key)?, certificate, key)
}

impl Shared {
    fn warn_of_its_age(&self) {
        let current = Arc::clone(&self.current.read());
        let Some((begin, end)) = current.cert.first().and_then(validity) else {
            return;
        };
        let path = self.certificate.display();
        match age(self.clock.now(), begin, end) {
            Age::Good => {}
            Age::Early => {
                tracing::warn!(%path, "the certificate is not good yet: clients will refuse it; is the clock right?");
            }
            Age::Ending => {
                let days = end.since(self.clock.now()).as_secs() / 86_400;
                tracing::warn!(%path, days, "the certificate ends soon: replace the file, it is read again by itself");
            }
            Age::Ended => {
                tracing::warn!(%path, "the certificate has ended: clients refuse it; replace the file, it is read again by itself");
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Age {
    Early,
    Good,
    Ending,
    Ended,
}

fn age(now: Timestamp, begin: Timestamp, end: Timestamp) -> Age {
    if now < begin {
        Age::Early
    } else if now >= end {
        Age::Ended
    } else if end.since(now) < SOON {
        Age::Ending
    } else {
        Age::Good
    }
}

impl ResolvesServerCert for Shared {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read()))
    }
}

impl fmt::Debug for Shared {
    /// Leaves the key out (promise P11).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerCertificate")
            .field("certificate", &self.certificate)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}

#[test]
fn a_certificate_is_early_good_ending_or_ended() {
    let day = |day: u64| Timestamp::from_millis(day * 86_400_000);
    let at = |now| age(day(now), day(10), day(100));
    assert_eq!(at(9), Age::Early);
    assert_eq!(at(10), Age::Good);
    assert_eq!(at(92), Age::Good);
    assert_eq!(at(94), Age::Ending);
    assert_eq!(at(100), Age::Ended);
}
