//! What there is to scan: the paths that were named, and everything below directories, in a stable order.
//! Nothing is left out in silence: links below directories are counted, devices and the like reported.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::output;

/// Something that can be read.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Source {
    File(PathBuf),
    Stdin,
}

/// What was found at the paths.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) sources: Vec<Source>,
    /// What cannot be listed, and why.
    pub(super) problems: Vec<(String, String)>,
    /// What is neither a file nor a directory nor a link.
    pub(super) special: Vec<String>,
    /// How many links were not followed.
    pub(super) links: usize,
}

// === impl Listing ===

impl Listing {
    pub(super) fn of(paths: &[PathBuf]) -> Self {
        let mut listing = Self::default();
        for path in paths {
            if path.as_os_str() == "-" {
                listing.sources.push(Source::Stdin);
                continue;
            }
            // A link that is named is meant; so is a pipe.
            match fs::metadata(path) {
                Ok(metadata) if metadata.is_dir() => listing.below(path),
                Ok(_) => listing.sources.push(Source::File(path.clone())),
                Err(error) => listing.problem(path, &error),
            }
        }
        let mut seen = HashSet::new();
        listing.sources.retain(|source| seen.insert(source.clone()));
        listing
    }

    /// Everything below a directory, the contents of each in the order of their names.
    fn below(&mut self, dir: &Path) {
        let mut waiting = vec![dir.to_owned()];
        while let Some(path) = waiting.pop() {
            // Directories are listed when their turn comes; everything else was looked at before.
            match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_dir() || path == dir => match entries(&path) {
                    Ok(entries) => waiting.extend(entries.into_iter().rev()),
                    Err(error) => self.problem(&path, &error),
                },
                Ok(metadata) if metadata.is_file() => self.sources.push(Source::File(path)),
                Ok(metadata) if metadata.is_symlink() => self.links += 1,
                Ok(_) => self.special.push(output::name(&path)),
                Err(error) => self.problem(&path, &error),
            }
        }
    }

    fn problem(&mut self, path: &Path, error: &io::Error) {
        self.problems.push((output::name(path), error.to_string()));
    }
}

fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(dir)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<PathBuf>>>()?;
    paths.sort();
    Ok(paths)
}

// === impl Source ===

impl Source {
    /// Its name as it may be printed; `-` for stdin.
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(path) => output::name(path),
            Self::Stdin => "-".to_owned(),
        }
    }

    pub(super) fn open(&self) -> io::Result<Box<dyn io::Read>> {
        Ok(match self {
            Self::File(path) => Box::new(fs::File::open(path)?),
            Self::Stdin => Box::new(io::stdin()),
        })
    }
}
