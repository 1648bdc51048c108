//! Where official checkpoints are published: a table, `models/sources.json`, and the user's own beside the settings.

use std::io::ErrorKind as IoKind;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::networks::weights::Network;
use crate::settings::Folders;

/// The table that comes with the program.
const OFFICIAL: &str = include_str!("../../../models/sources.json");

/// A checkpoint that can be downloaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name, as `models download` takes it.
    pub name: String,
    /// Which network it holds.
    pub network: Network,
    /// Where it is, http or https.
    pub url: String,
    /// Size of the file in bytes, where it was published.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// sha256 of the file in lower-case hex, or as much of its beginning as was published (torchvggish: 8 digits).
    #[serde(default)]
    pub sha256: Option<String>,
    /// SPDX expression.
    pub licence: String,
    /// Who made it, from what.
    pub origin: String,
}

impl Source {
    /// Last part of the URL, behind the source's own name: two sources never share a file.
    pub(super) fn file_name(&self) -> String {
        let last = self.url.rsplit('/').next().unwrap_or_default();
        let safe = |text: &str| -> String {
            text.chars()
                .map(|char| match char {
                    'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '_' => char,
                    _ => '_',
                })
                .collect()
        };
        format!("{}-{}", safe(&self.name), safe(last))
    }
}

/// All sources: the user's own (`sources.json` in the config folder, a list of the same form, for mirrors) before the
/// official ones; of two with one name the first counts.
///
/// # Errors
/// When the user's file cannot be read.
pub fn sources(folders: &Folders) -> Result<Vec<Source>> {
    let own = folders.config.join("sources.json");
    let mut all: Vec<Source> = match std::fs::read(&own) {
        Ok(text) => serde_json::from_slice(&text).map_err(|problem| {
            Error::input(
                &own,
                format!("is no list of model sources ({problem}); correct or remove it"),
            )
        })?,
        Err(error) if error.kind() == IoKind::NotFound => Vec::new(),
        Err(error) => return Err(Error::io(&own, "read", error)),
    };
    let official: Vec<Source> = serde_json::from_str(OFFICIAL).map_err(|problem| {
        Error::internal(format!("the table of model sources does not parse: {problem}"))
    })?;
    for source in official {
        if !all.iter().any(|other| other.name == source.name) {
            all.push(source);
        }
    }
    Ok(all)
}

/// The source called `name`.
///
/// # Errors
/// When there is none; the sentence lists them all.
pub fn find_source(folders: &Folders, name: &str) -> Result<Source> {
    let mut all = sources(folders)?;
    if let Some(at) = all.iter().position(|source| source.name == name) {
        return Ok(all.swap_remove(at));
    }
    let names: Vec<&str> = all.iter().map(|source| source.name.as_str()).collect();
    Err(Error::pack(format!(
        "there is no model {name} to download; choose one of {}",
        names.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_official_table_is_whole_and_the_users_own_comes_first() -> Result<()> {
        let home = tempfile::tempdir().expect("temporary folder");
        let folders = Folders::under(home.path());
        let official = sources(&folders)?;
        assert!(official.iter().all(|source| source.url.starts_with("https://")));
        assert!(official.iter().all(|source| {
            source
                .sha256
                .as_deref()
                .is_none_or(|sum| sum.len() >= 8 && sum.bytes().all(|byte| byte.is_ascii_hexdigit()))
        }));
        for network in [Network::SlowFast, Network::Vggish, Network::Spleeter] {
            assert!(official.iter().any(|source| source.network == network));
        }

        std::fs::create_dir_all(&folders.config).expect("folder");
        let own = folders.config.join("sources.json");
        let mirror = Source {
            url: "http://mirror/x y.pth".to_owned(),
            ..find_source(&folders, "vggish")?
        };
        std::fs::write(&own, serde_json::to_vec(&[&mirror]).expect("JSON")).expect("write");
        assert_eq!(find_source(&folders, "vggish")?, mirror);
        assert_eq!(sources(&folders)?.len(), official.len());
        assert_eq!(Path::new(&mirror.file_name()), Path::new("vggish-x_y.pth"));

        std::fs::write(&own, "{}").expect("write");
        let error = sources(&folders).expect_err("damaged").to_string();
        assert!(error.contains("sources.json"), "{error}");
        Ok(())
    }
}
