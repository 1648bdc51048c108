//! Repairing a pack that was downloaded.

use super::{Source, download, sources};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::jobs::Monitor;
use crate::networks::weights::Pack;
use crate::settings::Folders;

/// The source that the pack called `name` was downloaded from, and the name of the pack it was imported over.
pub fn source_of<'a>(name: &'a str, sources: &'a [Source]) -> Option<(&'a str, &'a Source)> {
    sources.iter().find_map(|source| {
        let base = name.strip_suffix(source.name.as_str())?.strip_suffix('+')?;
        Some((base, source))
    })
}

/// Downloads the pack `name` anew, over the pack it was imported over the first time.
///
/// # Errors
/// When it was not downloaded, or the other pack is gone; as [`download`].
pub fn repair(folders: &Folders, name: &str, monitor: &Monitor) -> Result<Pack> {
    let sources = sources(folders)?;
    let Some((base, source)) = source_of(name, &sources) else {
        return Err(Error::pack(format!(
            "the pack {name} was not downloaded, so it cannot be fetched again; import its checkpoint again, or remove it"
        )));
    };
    let base = Pack::find(base, &Engine::pack_roots(folders))?;
    download(&base, folders, source, monitor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_is_traced_to_its_source() -> Result<()> {
        let home = tempfile::tempdir().expect("temporary folder");
        let folders = Folders::under(home.path());
        let sources = sources(&folders)?;
        let of = |name| source_of(name, &sources).map(|(base, source)| (base, source.name.as_str()));
        assert_eq!(of("compact+vggish"), Some(("compact", "vggish")));
        assert_eq!(
            of("compact+vggish+spleeter-2stems"),
            Some(("compact+vggish", "spleeter-2stems"))
        );
        assert_eq!(of("mine"), None);
        assert_eq!(of("vggish"), None);
        let error = repair(&folders, "mine", &Monitor::silent())
            .expect_err("trained")
            .to_string();
        assert!(error.contains("mine") && error.contains("import"), "{error}");
        Ok(())
    }
}
