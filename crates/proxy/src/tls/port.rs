//! The certificate of the proxy's own port, for agents on other machines: what they send to the proxy,
//! credentials among it, is then for nobody else to read.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use thiserror::Error;

/// The files of it, PEM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PortFiles {
    /// The certificate, and those between it and its root.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Whose certificates agents must have, where they must have any.
    pub client_authority: Option<PathBuf>,
}

/// What agents are served with.
#[derive(Clone, Debug)]
pub struct PortCertificate(pub(crate) Arc<ServerConfig>);

/// Why the port has no certificate.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages are the documentation")]
pub enum PortTlsError {
    #[error("forward_proxy.tls.{key}: cannot read {path}: {source}")]
    Read {
        key: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("forward_proxy.tls.{key}: {path} holds no PEM {what}")]
    Empty {
        key: &'static str,
        path: PathBuf,
        what: &'static str,
    },
    #[error("forward_proxy.tls: certificate and key do not serve: {0}")]
    Unfit(String),
    #[error("forward_proxy.tls.client_ca does not serve: {0}")]
    Authority(String),
}

/// Reads the files: TLS 1.2 and 1.3, HTTP/1.1.
///
/// # Errors
/// [`PortTlsError`] where a file cannot be read, holds nothing, or does not fit the others.
pub fn port_certificate(files: &PortFiles) -> Result<PortCertificate, PortTlsError> {
    let chain = certificates("cert", &files.certificate)?;
    let bytes = read("key", &files.key)?;
    let key = PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| PortTlsError::Empty {
        key: "key",
        path: files.key.clone(),
        what: "private key",
    })?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(unfit)?;
    let builder = match &files.client_authority {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(certificates("client_ca", path)?);
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            let verifier = verifier.map_err(|error| PortTlsError::Authority(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(unfit)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(PortCertificate(Arc::new(config)))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn unfit(error: rustls::Error) -> PortTlsError {
    PortTlsError::Unfit(error.to_string())
}

fn certificates(
    key: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, PortTlsError> {
    let bytes = read(key, path)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .filter_map(Result::ok)
        .collect();
    if certificates.is_empty() {
        return Err(PortTlsError::Empty {
            key,
            path: path.into(),
            what: "certificate",
        });
    }
    Ok(certificates)
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, PortTlsError> {
    std::fs::read(path).map_err(|source| PortTlsError::Read {
        key,
        path: path.into(),
        source,
    })
}
