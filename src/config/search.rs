//! Which file is the configuration: the first of the known places that holds one, and why.

use std::path::{Path, PathBuf};

use super::Environment;

/// The file that was chosen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Chosen {
    pub(crate) path: PathBuf,
    /// For example `from $OKTSEC_CONFIG`.
    pub(crate) why: String,
}

/// The first place that holds a configuration. A flag or variable is taken at its word, whether
/// the file exists or not: falling back in silence would run under a policy nobody chose.
///
/// # Errors
/// The places that were looked at, when none holds one.
pub(crate) fn find(
    flag: Option<&Path>,
    env: Environment<'_>,
    exists: &dyn Fn(&Path) -> bool,
) -> Result<Chosen, Vec<PathBuf>> {
    if let Some(path) = flag {
        return Ok(Chosen {
            path: path.to_owned(),
            why: "from --config".to_owned(),
        });
    }
    if let Some(path) = env.path("OKTSEC_CONFIG") {
        return Ok(Chosen {
            path,
            why: "from $OKTSEC_CONFIG".to_owned(),
        });
    }
    let places = places(env);
    match places.iter().position(|(path, _)| exists(path)) {
        Some(0) => Ok(chosen(&places[0], "the first place looked at")),
        Some(index) => {
            let before: Vec<String> = places[..index]
                .iter()
                .map(|(path, _)| path.display().to_string())
                .collect();
            Ok(chosen(
                &places[index],
                &format!("not found: {}", before.join(", ")),
            ))
        }
        None => Err(places.into_iter().map(|(path, _)| path).collect()),
    }
}

/// Where `init` writes when nothing else is said.
pub(crate) fn home(env: Environment<'_>) -> PathBuf {
    config_home(env).map_or_else(
        || PathBuf::from("oktsec.yaml"),
        |dir| dir.join("oktsec/oktsec.yaml"),
    )
}

/// Where the CA and the audit trail live when nothing else is said.
pub(crate) fn data_dir(env: Environment<'_>) -> PathBuf {
    env.path("XDG_DATA_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| Some(env.path("HOME")?.join(".local/share")))
        .map_or_else(
            || PathBuf::from("/var/lib/oktsec"),
            |dir| dir.join("oktsec"),
        )
}

fn chosen(place: &(PathBuf, &str), more: &str) -> Chosen {
    Chosen {
        path: place.0.clone(),
        why: format!("{}; {more}", place.1),
    }
}

fn places(env: Environment<'_>) -> Vec<(PathBuf, &'static str)> {
    let mut places = vec![(PathBuf::from("oktsec.yaml"), "in the current directory")];
    if let Some(dir) = config_home(env) {
        places.push((
            dir.join("oktsec/oktsec.yaml"),
            "in the user's configuration directory",
        ));
    }
    places.push((PathBuf::from("/etc/oktsec/oktsec.yaml"), "the system's"));
    if let Some(home) = env.path("HOME") {
        places.push((home.join(".oktsec/config.yaml"), "in the compatible place"));
    }
    places
}

fn config_home(env: Environment<'_>) -> Option<PathBuf> {
    env.path("XDG_CONFIG_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| Some(env.path("HOME")?.join(".config")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_wins_and_says_why() {
        let env = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect()
        };
        let home = env(&[("HOME", "/h")]);
        let at = |wanted: &'static str| move |path: &Path| path == Path::new(wanted);
        let cases = [
            (
                "oktsec.yaml",
                "in the current directory; the first place looked at",
            ),
            ("/h/.config/oktsec/oktsec.yaml", "not found: oktsec.yaml"),
            (
                "/etc/oktsec/oktsec.yaml",
                "not found: oktsec.yaml, /h/.config",
            ),
            ("/h/.oktsec/config.yaml", "compatible place"),
        ];
        for (path, why) in cases {
            let chosen = find(None, Environment(&home), &at(path)).unwrap();
            assert_eq!(chosen.path, Path::new(path));
            assert!(chosen.why.contains(why), "{}", chosen.why);
        }
        let both = env(&[("HOME", "/h"), ("OKTSEC_CONFIG", "/c.yaml")]);
        let from_variable = find(None, Environment(&both), &|_| false).unwrap();
        assert_eq!(from_variable.why, "from $OKTSEC_CONFIG");
        let flag = find(Some(Path::new("/f.yaml")), Environment(&both), &|_| true).unwrap();
        assert_eq!(flag.path, Path::new("/f.yaml"));
        assert_eq!(
            find(None, Environment(&home), &|_| false)
                .unwrap_err()
                .len(),
            4
        );
    }
}
