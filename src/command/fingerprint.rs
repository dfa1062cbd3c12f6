//! The key of the fingerprints: made once, beside the trail whose values it makes comparable.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use oktsec_detect::FingerprintKey;

const KEY_BYTES: usize = 32;

/// The installation's key; makes it where there is none.
pub(super) fn open_or_make(audit_dir: &Path) -> anyhow::Result<FingerprintKey> {
    let path = path(audit_dir);
    let context = || format!("failed to open the fingerprint key {}", path.display());
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
    {
        Ok(mut file) => {
            let key = random_bytes()?;
            file.write_all(&key)
                .and_then(|()| file.sync_all())
                .with_context(context)?;
            Ok(FingerprintKey::new(key))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            read(&path).with_context(context)
        }
        Err(error) => Err(error).with_context(context),
    }
}

/// The installation's key, if there is one.
pub(super) fn installed(audit_dir: &Path) -> anyhow::Result<Option<FingerprintKey>> {
    let path = path(audit_dir);
    match read(&path) {
        Ok(key) => Ok(Some(key)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error)
            .with_context(|| format!("failed to read the fingerprint key {}", path.display())),
    }
}

/// A key that nobody will have again.
pub(super) fn random() -> anyhow::Result<FingerprintKey> {
    Ok(FingerprintKey::new(random_bytes()?))
}

fn path(audit_dir: &Path) -> PathBuf {
    audit_dir.join("fingerprint.key")
}

fn read(path: &Path) -> io::Result<FingerprintKey> {
    let mut key = [0; KEY_BYTES];
    File::open(path)?.read_exact(&mut key)?;
    Ok(FingerprintKey::new(key))
}

fn random_bytes() -> anyhow::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).context("the system gives no randomness")?;
    Ok(key)
}
