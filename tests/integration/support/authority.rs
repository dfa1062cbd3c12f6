//! The authority of the test upstreams: makes a certificate for whatever name a client asks for.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// An upstream of this name shows a certificate of another name.
pub(crate) const WRONG_NAME: &str = "wrong-certificate.test";

/// The authority of this run.
pub(crate) static AUTHORITY: LazyLock<TestAuthority> = LazyLock::new(TestAuthority::new);

/// A certificate authority for upstreams.
pub(crate) struct TestAuthority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pub(crate) pem: String,
    leaves: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

struct ByName;

// === impl TestAuthority ===

impl TestAuthority {
    fn new() -> Self {
        let key = KeyPair::generate().expect("ring makes keys");
        let mut params = CertificateParams::new(Vec::new()).expect("no names, no bad name");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "upstreams of the tests");
        let certificate = params
            .self_signed(&key)
            .expect("the parameters are complete");
        Self {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
            leaves: Mutex::default(),
        }
    }

    fn leaf(&self, name: &str) -> Arc<CertifiedKey> {
        let mut leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            leaves
                .entry(name.to_owned())
                .or_insert_with(|| Arc::new(self.make(name))),
        )
    }

    fn make(&self, name: &str) -> CertifiedKey {
        let shown = if name == WRONG_NAME {
            "another-name.test"
        } else {
            name
        };
        let key = KeyPair::generate().expect("ring makes keys");
        let params = CertificateParams::new(vec![shown.to_owned()]).expect("a name from SNI");
        let leaf = params
            .signed_by(&key, &self.issuer)
            .expect("the issuer is ours");
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing = ring::sign::any_supported_type(&private).expect("ring reads its own keys");
        CertifiedKey::new(vec![leaf.der().clone(), self.certificate.clone()], signing)
    }
}

// === impl ByName ===

impl fmt::Debug for ByName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByName")
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(AUTHORITY.leaf(hello.server_name().unwrap_or("unnamed.test")))
    }
}

/// TLS as the upstreams speak it.
pub(crate) fn server_config(protocol: &str) -> Arc<ServerConfig> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ByName));
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    Arc::new(config)
}

/// TLS as a client speaks it that trusts the certificates in a PEM file.
pub(crate) fn client_config(pem: &str, protocols: &[&str]) -> Arc<ClientConfig> {
    use rustls::pki_types::pem::PemObject;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots
            .add(certificate.expect("the file is PEM"))
            .expect("the file holds authorities");
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    Arc::new(config)
}
