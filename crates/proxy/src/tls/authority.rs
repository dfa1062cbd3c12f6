//! The local certificate authority: made once per installation, its key never leaves its file and
//! this process. Leaf certificates are minted per host and cached.
//!
//! One leaf key per process run, never the authority's key: minting is then a single signature.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oktsec_model::{Host, Timestamp};
use quick_cache::sync::Cache;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use thiserror::Error;
use time::{Duration, OffsetDateTime};

/// The authority and the cache of what it has issued.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    leaf_key: KeyPair,
    template: ServerConfig,
    leaves: Cache<Host, Leaf>,
    leaf_ttl_s: i64,
}

/// Where the authority's files are.
#[derive(Clone, Debug)]
pub struct AuthorityFiles {
    /// The directory, mode 0700.
    pub dir: PathBuf,
}

/// Why there is no authority.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// A file or directory cannot be read or written.
    #[error("{action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read the key.
    #[error("{path} can be read by other users (mode {mode:04o}); run: chmod 600 {path}")]
    KeyExposed {
        /// The key's file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// One of the two files is missing.
    #[error(
        "{present} exists but {missing} does not; restore it, or remove both for a new authority"
    )]
    Incomplete {
        /// The file that is there.
        present: PathBuf,
        /// The file that is not.
        missing: PathBuf,
    },
    /// A file does not hold what it should.
    #[error("{path} does not hold a usable {what}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// A certificate could not be made.
    #[error("a certificate could not be made: {0}")]
    Mint(String),
}

#[derive(Clone)]
struct Leaf {
    config: Arc<ServerConfig>,
    renew_at_s: i64,
}

/// Leaf certificates that are kept.
const LEAVES_MAX: usize = 4096;
const CA_YEARS: i64 = 10;
const PEM_BYTES_MAX: u64 = 1024 * 1024;

// === impl AuthorityFiles ===

impl AuthorityFiles {
    /// The authority's certificate.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// The authority's key, mode 0600.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.dir.join("ca-key.pem")
    }

    /// The system's roots and the authority's certificate in one file, for clients whose setting
    /// replaces the system's roots.
    #[must_use]
    pub fn bundle(&self) -> PathBuf {
        self.dir.join("bundle.pem")
    }

    /// Settings for `wget`, whose usual build reads no variable that names roots.
    #[must_use]
    pub fn wgetrc(&self) -> PathBuf {
        self.dir.join("wgetrc")
    }
}

// === impl Authority ===

impl Authority {
    /// Reads the authority's files, or makes them when neither is there. The second value says
    /// whether they were made.
    ///
    /// # Errors
    /// [`AuthorityError`] naming the file.
    pub fn open(
        files: &AuthorityFiles,
        leaf_ttl_s: u32,
        now: Timestamp,
    ) -> Result<(Self, bool), AuthorityError> {
        let (certificate_path, key_path) = (files.certificate(), files.key());
        let created = match (exists(&certificate_path)?, exists(&key_path)?) {
            (true, true) => false,
            (false, false) => {
                create(files, now)?;
                true
            }
            (true, false) => {
                return Err(AuthorityError::Incomplete {
                    present: certificate_path,
                    missing: key_path,
                });
            }
            (false, true) => {
                return Err(AuthorityError::Incomplete {
                    present: key_path,
                    missing: certificate_path,
                });
            }
        };
        let certificate_pem = read_pem(&certificate_path)?;
        let key =
            KeyPair::from_pem(&read_key(&key_path)?).map_err(|_| AuthorityError::Invalid {
                path: key_path.clone(),
                what: "private key",
            })?;
        let certificate =
            CertificateDer::from_pem_slice(certificate_pem.as_bytes()).map_err(|_| {
                AuthorityError::Invalid {
                    path: certificate_path.clone(),
                    what: "certificate",
                }
            })?;
        let issuer = Issuer::from_ca_cert_pem(&certificate_pem, key).map_err(|_| {
            AuthorityError::Invalid {
                path: certificate_path,
                what: "certificate authority",
            }
        })?;
        let leaf_key = KeyPair::generate().map_err(mint_error)?;
        let template = server_template()?;
        let leaves = Cache::new(LEAVES_MAX);
        let leaf_ttl_s = i64::from(leaf_ttl_s);
        Ok((
            Self {
                issuer,
                certificate,
                leaf_key,
                template,
                leaves,
                leaf_ttl_s,
            },
            created,
        ))
    }

    /// The authority's own certificate.
    #[must_use]
    pub const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The server configuration with which to stand in for `host`.
    ///
    /// # Errors
    /// [`AuthorityError::Mint`] when no certificate can be made for this host.
    pub(crate) fn server_config(
        &self,
        host: &Host,
        now: Timestamp,
    ) -> Result<Arc<ServerConfig>, AuthorityError> {
        let now_s = now.as_millis() / 1000;
        if let Some(leaf) = self.leaves.get(host)
            && now_s < leaf.renew_at_s
        {
            return Ok(leaf.config);
        }
        let config = Arc::new(self.mint(host, now_s)?);
        let leaf = Leaf {
            config: Arc::clone(&config),
            renew_at_s: now_s + self.leaf_ttl_s / 2,
        };
        self.leaves.insert(host.clone(), leaf);
        Ok(config)
    }

    fn mint(&self, host: &Host, now_s: i64) -> Result<ServerConfig, AuthorityError> {
        // ub-common-name of RFC 5280, appendix A.
        const COMMON_NAME_BYTES_MAX: usize = 64;
        let name = host.to_string();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![match host {
            Host::Ip(ip) => SanType::IpAddress(*ip),
            Host::Name(name) => SanType::DnsName(name.to_string().try_into().map_err(mint_error)?),
        }];
        params.distinguished_name = DistinguishedName::new();
        let common_name = if name.len() <= COMMON_NAME_BYTES_MAX {
            name.as_str()
        } else {
            "oktsec"
        };
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.serial_number = Some(random_serial()?);
        let now = unix_time(now_s)?;
        // An hour back, for clients whose clock is behind.
        params.not_before = now - Duration::hours(1);
        params.not_after = now + Duration::seconds(self.leaf_ttl_s);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = params
            .signed_by(&self.leaf_key, &self.issuer)
            .map_err(mint_error)?;

        let chain = vec![leaf.der().clone(), self.certificate.clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.leaf_key.serialize_der()));
        let key = rustls::crypto::ring::sign::any_ecdsa_type(&key).map_err(mint_error)?;
        let mut config = self.template.clone();
        config.cert_resolver = Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key)));
        Ok(config)
    }
}

fn server_template() -> Result<ServerConfig, AuthorityError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(mint_error)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(NoCertificate));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A ticket saves the client less than it costs here: the key exchange is the same, and leaf
    // keys are cheap to verify.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    Ok(config)
}

/// Stands in the template until a leaf's own resolver replaces it.
#[derive(Debug)]
struct NoCertificate;

impl rustls::server::ResolvesServerCert for NoCertificate {
    fn resolve(&self, _hello: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}

fn create(files: &AuthorityFiles, now: Timestamp) -> Result<(), AuthorityError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&files.dir)
        .map_err(|source| io_error("cannot create", &files.dir, source))?;
    let key = KeyPair::generate().map_err(mint_error)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "oktsec local CA");
    params
        .distinguished_name
        .push(DnType::OrganizationName, "oktsec");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.serial_number = Some(random_serial()?);
    let now = unix_time(now.as_millis() / 1000)?;
    params.not_before = now - Duration::days(1);
    params.not_after = now + Duration::days(365 * CA_YEARS);
    let certificate = params.self_signed(&key).map_err(mint_error)?;
    write_new(&files.key(), 0o600, key.serialize_pem().as_bytes())?;
    write_new(&files.certificate(), 0o644, certificate.pem().as_bytes())
}

/// Writes a file that is whole or not there: a temporary file beside it, synced, then renamed.
pub(crate) fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), AuthorityError> {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let attempt = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    attempt().map_err(|source| {
        // The temporary file is ours by name; that it cannot be removed changes nothing.
        let _ = fs::remove_file(&temporary);
        io_error("cannot write", path, source)
    })
}

fn read_key(path: &Path) -> Result<String, AuthorityError> {
    let metadata =
        fs::symlink_metadata(path).map_err(|source| io_error("cannot read", path, source))?;
    if !metadata.is_file() {
        return Err(AuthorityError::Invalid {
            path: path.into(),
            what: "private key (not a regular file)",
        });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(AuthorityError::KeyExposed {
            path: path.into(),
            mode,
        });
    }
    read_pem(path)
}

fn read_pem(path: &Path) -> Result<String, AuthorityError> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(PEM_BYTES_MAX).read_to_string(&mut text))
        .map_err(|source| io_error("cannot read", path, source))?;
    Ok(text)
}

fn exists(path: &Path) -> Result<bool, AuthorityError> {
    path.try_exists()
        .map_err(|source| io_error("cannot read", path, source))
}

fn random_serial() -> Result<SerialNumber, AuthorityError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(mint_error)?;
    // Positive and of full length, so that every serial has the same size (RFC 5280, 4.1.2.2).
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from(bytes.to_vec()))
}

fn unix_time(seconds: i64) -> Result<OffsetDateTime, AuthorityError> {
    OffsetDateTime::from_unix_timestamp(seconds).map_err(mint_error)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn mint_error(error: impl ToString) -> AuthorityError {
    AuthorityError::Mint(error.to_string())
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> AuthorityError {
    AuthorityError::Io {
        action,
        path: path.into(),
        source,
    }
}
