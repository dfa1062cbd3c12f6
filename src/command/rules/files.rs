//! Rule files of the operator's own, read from a directory or one by one.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use oktsec_detect::RuleFile;

use crate::output;

const FILES_MAX: usize = 1000;
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The YAML files of a directory, in the order of their names; or the one file.
pub(in crate::command) fn read(path: &Path) -> anyhow::Result<Vec<RuleFile>> {
    let kind =
        fs::metadata(path).with_context(|| format!("failed to read {}", output::name(path)))?;
    if !kind.is_dir() {
        return Ok(vec![read_file(path)?]);
    }
    let paths =
        yaml_files(path).with_context(|| format!("failed to list {}", output::name(path)))?;
    if paths.is_empty() {
        bail!("no rule files (*.yaml, *.yml) in {}", output::name(path));
    }
    if paths.len() > FILES_MAX {
        bail!("more than {FILES_MAX} rule files in {}", output::name(path));
    }
    paths.iter().map(|path| read_file(path)).collect()
}

fn yaml_files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let is_yaml = path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml");
        if is_yaml && !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read_file(path: &Path) -> anyhow::Result<RuleFile> {
    let context = || format!("failed to read {}", output::name(path));
    let mut text = String::new();
    File::open(path)
        .with_context(context)?
        .take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .with_context(context)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        bail!("{} is larger than 4 MiB", output::name(path));
    }
    Ok(RuleFile {
        name: output::name(path),
        text,
    })
}
