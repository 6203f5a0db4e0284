use std::sync::Arc;

use object_store::ClientOptions;
use object_store::client::{HttpClient, HttpConnector};
use reqwest::redirect::Policy;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use rustls_platform_verifier::BuilderVerifierExt as _;
use terrace_core::{Error, ErrorKind, Result};

use crate::s3::config::{BucketConfig, invalid};

/// Hands out one client for everything: `object_store`'s requests, those for credentials, and our own.
#[derive(Debug)]
pub(crate) struct Connector(pub(crate) HttpClient);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(self.0.clone())
    }
}

/// The client by which a bucket is reached. Connects to nothing yet.
pub(crate) fn client(config: &BucketConfig) -> Result<HttpClient> {
    let options = &config.options;
    let client = reqwest::Client::builder()
        .user_agent(concat!("terrace/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls(config)?)
        // Parallel requests on one HTTP/2 connection would share its window.
        .http1_only()
        // A signature is for one host; and a redirect is how S3 says that the region is wrong.
        .redirect(Policy::none())
        // What a proxy cache stores does not go through another proxy because a shell happens to name one.
        .no_proxy()
        .connect_timeout(options.connect_timeout)
        .read_timeout(options.response_timeout)
        .build()
        .map_err(|error| {
            Error::new(ErrorKind::Internal, "s3.config", "no HTTP client").with_source(error)
        })?;
    Ok(HttpClient::new(client))
}

fn tls(config: &BucketConfig) -> Result<ClientConfig> {
    let refused = |error| invalid("TLS cannot be set up; see the cause").with_source(error);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(refused)?;
    let builder = match &config.options.authority {
        Some(pem) => builder.with_root_certificates(authorities(pem)?),
        None if config.uses_tls() => builder.with_platform_verifier().map_err(refused)?,
        // Not used, so that a system without certificates is good enough.
        None => builder.with_root_certificates(RootCertStore::empty()),
    };
    Ok(builder.with_no_client_auth())
}

fn authorities(pem: &[u8]) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate =
            certificate.map_err(|error| invalid("authority is not PEM").with_source(error))?;
        let added = store.add(certificate);
        added.map_err(|error| invalid("authority has a bad certificate").with_source(error))?;
    }
    if store.is_empty() {
        return Err(invalid(
            "authority has no certificate: it should be PEM, BEGIN CERTIFICATE",
        ));
    }
    Ok(store)
}
