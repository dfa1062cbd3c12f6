//! The certificates of a run: a test CA, the leaf of the TLS upstream, and what a client must
//! trust on each route. Nothing here outlives the temporary directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::HOST;

/// A CA of this run, on disk.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
    key_pem: String,
}

// === impl Authority ===

impl Authority {
    pub(crate) fn generate(name: &str) -> anyhow::Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let certificate_pem = params.self_signed(&key)?.pem();
        let key_pem = key.serialize_pem();
        Ok(Self {
            issuer: Issuer::new(params, key),
            certificate_pem,
            key_pem,
        })
    }

    /// Writes the certificate alone: what others are told to trust.
    pub(crate) fn write_certificate(&self, path: &Path) -> anyhow::Result<()> {
        write(path, &self.certificate_pem)
    }

    /// Writes certificate and key into one file, as Squid wants them.
    pub(crate) fn write_pair(&self, path: &Path) -> anyhow::Result<()> {
        write(path, &format!("{}{}", self.key_pem, self.certificate_pem))
    }

    /// Writes the upstream's leaf and its key into `dir`.
    pub(crate) fn write_leaf(&self, dir: &Path) -> anyhow::Result<()> {
        let key = KeyPair::generate()?;
        let leaf = CertificateParams::new(vec![HOST.to_owned()])?.signed_by(&key, &self.issuer)?;
        write(&leaf_path(dir), &leaf.pem())?;
        write(&leaf_key_path(dir), &key.serialize_pem())
    }
}

/// The server side of the upstream, from what `write_leaf` left in `dir`.
pub(crate) fn server_config(dir: &Path) -> anyhow::Result<Arc<ServerConfig>> {
    let leaf = CertificateDer::from_pem_file(leaf_path(dir))?;
    let key = PrivateKeyDer::from_pem_file(leaf_key_path(dir))?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![leaf], key)?;
    Ok(Arc::new(config))
}

/// A client that trusts the CA in `path` and nothing else.
pub(crate) fn connector(path: &Path) -> anyhow::Result<TlsConnector> {
    let certificate = CertificateDer::from_pem_file(path)
        .with_context(|| format!("no CA certificate in {}", path.display()))?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate)?;
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn leaf_path(dir: &Path) -> PathBuf {
    dir.join("leaf.pem")
}

fn leaf_key_path(dir: &Path) -> PathBuf {
    dir.join("leaf.key")
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
