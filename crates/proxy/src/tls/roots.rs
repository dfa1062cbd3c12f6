//! Whom to believe about upstreams: the platform's roots, those compiled in, or a file beside the
//! platform's. Our own authority is never among them, or an agent could stand in for any host.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;

use super::authority::{Authority, AuthorityError, AuthorityFiles, write_new};

/// Where the roots come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum UpstreamRoots {
    /// The platform's store.
    System,
    /// Mozilla's list, compiled in.
    Webpki,
    /// The platform's store and the certificates of a PEM file.
    SystemAnd(PathBuf),
}

/// Why there are no roots.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages are the documentation")]
pub enum RootsError {
    #[error("tls.upstream_roots: cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("tls.upstream_roots: {path} holds no PEM certificate")]
    Empty { path: PathBuf },
    #[error("TLS towards upstreams could not be set up: {0}")]
    Config(String),
}

/// The client configuration for upstreams: verified always, HTTP/1.1.
///
/// # Errors
/// [`RootsError`] when the file cannot be read or holds nothing.
pub fn client_config(
    roots: &UpstreamRoots,
    authority: &Authority,
) -> Result<Arc<ClientConfig>, RootsError> {
    let mut store = RootCertStore::empty();
    if *roots != UpstreamRoots::Webpki {
        let own = authority.certificate();
        store.add_parsable_certificates(system_roots().into_iter().filter(|root| root != own));
    }
    if store.is_empty() {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    if let UpstreamRoots::SystemAnd(path) = roots {
        let own = authority.certificate();
        let extra = read_certificates(path)?;
        store.add_parsable_certificates(extra.into_iter().filter(|root| root != own));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| RootsError::Config(error.to_string()))?
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Writes `bundle.pem` (the platform's roots and our own certificate, for clients whose setting
/// replaces the platform's roots) and the `wgetrc` that points at it.
///
/// # Errors
/// [`AuthorityError`] when the file cannot be written.
pub fn write_bundle(files: &AuthorityFiles, authority: &Authority) -> Result<(), AuthorityError> {
    let own = authority.certificate();
    let mut text = String::new();
    for certificate in system_roots()
        .iter()
        .filter(|root| *root != own)
        .chain([own])
    {
        push_pem(&mut text, certificate);
    }
    write_new(&files.bundle(), 0o644, text.as_bytes())?;
    let wgetrc = format!("ca_certificate = {}\n", files.bundle().display());
    write_new(&files.wgetrc(), 0o644, wgetrc.as_bytes())
}

fn system_roots() -> Vec<CertificateDer<'static>> {
    // Single unreadable entries of the platform's store are no reason to trust none of it.
    rustls_native_certs::load_native_certs().certs
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, RootsError> {
    let bytes = fs::read(path).map_err(|source| RootsError::Read {
        path: path.into(),
        source,
    })?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .filter_map(Result::ok)
        .collect();
    if certificates.is_empty() {
        return Err(RootsError::Empty { path: path.into() });
    }
    Ok(certificates)
}

fn push_pem(text: &mut String, certificate: &CertificateDer<'_>) {
    const LINE_CHARS: usize = 64;
    text.push_str("-----BEGIN CERTIFICATE-----\n");
    let encoded = STANDARD.encode(certificate);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(LINE_CHARS));
        text.push_str(line);
        text.push('\n');
        rest = tail;
    }
    text.push_str("-----END CERTIFICATE-----\n");
}
