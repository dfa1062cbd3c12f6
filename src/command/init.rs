//! `oktsec init`: writes a starter configuration, never over another without `--force`.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::Context as _;

use crate::cli::InitArgs;
use crate::command::Context;
use crate::exit::ExitCode;

/// The starter configuration: the documented example, switched on.
pub(crate) const STARTER: &str = include_str!("../starter.yaml");

pub(super) fn run(args: &InitArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let path = args.path.display();
    match write(&args.path, args.force) {
        Ok(()) => {
            context.output.say(&format!("created {path}"));
            context
                .output
                .hint("next: edit it, then `oktsec config check` and `oktsec start`");
            Ok(ExitCode::Done)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            anyhow::bail!("{path} exists and is left as it is; --force replaces it")
        }
        Err(error) => Err(error).with_context(|| format!("failed to write {path}")),
    }
}

/// Creates the file and the directories above it.
pub(crate) fn write(path: &Path, force: bool) -> std::io::Result<()> {
    if let Some(directory) = path
        .parent()
        .filter(|directory| !directory.as_os_str().is_empty())
    {
        fs::create_dir_all(directory)?;
    }
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    options.open(path)?.write_all(STARTER.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    #[test]
    fn the_starter_is_valid_and_never_overwrites() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/oktsec.yaml");
        write(&path, false).unwrap();
        let loaded = load(&path, &[], &[]).unwrap_or_else(|errors| panic!("{errors:?}"));
        assert!(loaded.boot.enabled);
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        fs::write(&path, "mine").unwrap();
        assert_eq!(
            write(&path, false).unwrap_err().kind(),
            ErrorKind::AlreadyExists
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        write(&path, true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), STARTER);
    }

    #[test]
    fn the_first_line_is_for_editors() {
        let first = STARTER.lines().next().unwrap();
        assert_eq!(
            first,
            "# yaml-language-server: $schema=https://oktsec.dev/oktsec.schema.json"
        );
    }
}
