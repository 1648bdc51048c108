//! Runs that were paused or interrupted, found again by what lies in their folders.

use std::path::Path;

use super::RUN_FOLDER;
use super::request::FineTuneRequest;
use crate::error::{Error, ErrorKind, Result};
use crate::files::atomic_write;
use crate::training::checkpoint_path;

/// What a run was asked, beside its checkpoint.
const REQUEST_FILE: &str = "request.json";
/// The sentence of the error that ended it.
const PROBLEM_FILE: &str = "problem.txt";

/// A run that can be resumed.
#[derive(Debug, Clone, PartialEq)]
pub struct Unfinished {
    /// The folder's name, which the pack will have.
    pub name: String,
    /// What was asked, ready to be asked again.
    pub request: FineTuneRequest,
    /// Why it ended; `None` where it was paused or the program was killed.
    pub problem: Option<String>,
}

/// Keeps what is asked in the run's folder.
pub(super) fn remember(request: &FineTuneRequest) -> Result<()> {
    let folder = request.out.join(RUN_FOLDER);
    std::fs::create_dir_all(&folder).map_err(|source| Error::io(&folder, "create", source))?;
    let text = serde_json::to_vec_pretty(request).map_err(|source| {
        Error::input(
            &request.corpus,
            "is not plain text and cannot be remembered; rename the folder",
        )
        .with_source(source)
    })?;
    // What ended it last time may be mended.
    let _ = std::fs::remove_file(folder.join(PROBLEM_FILE));
    atomic_write(&folder.join(REQUEST_FILE), &text)
}

/// What becomes of a run that `error` ended. Where it took no step and the same question would have the same answer, nothing
/// is left to resume; else it keeps the reason. What cannot be written or removed does no harm.
pub(super) fn close(out: &Path, error: &Error) {
    let folder = out.join(RUN_FOLDER);
    let asked_wrongly = matches!(
        error.kind(),
        ErrorKind::Input | ErrorKind::Pack | ErrorKind::Library
    );
    if error.is_cancelled() {
    } else if asked_wrongly && !checkpoint_path(&folder).exists() {
        let _ = std::fs::remove_dir_all(&folder);
        // Nothing, where something else lies in it.
        let _ = std::fs::remove_dir(out);
    } else {
        let _ = atomic_write(&folder.join(PROBLEM_FILE), error.to_string().as_bytes());
    }
}

/// The runs below `packs` that made no pack yet, by name. What cannot be read is passed over.
pub fn unfinished(packs: &Path) -> Vec<Unfinished> {
    let entries = std::fs::read_dir(packs).into_iter().flatten().flatten();
    let mut found: Vec<Unfinished> = entries
        .filter(|entry| !entry.path().join("pack.json").exists())
        .filter_map(|entry| {
            let folder = entry.path().join(RUN_FOLDER);
            let text = std::fs::read(folder.join(REQUEST_FILE)).ok()?;
            let request: FineTuneRequest = serde_json::from_slice(&text).ok()?;
            Some(Unfinished {
                name: entry.file_name().into_string().ok()?,
                problem: std::fs::read_to_string(folder.join(PROBLEM_FILE)).ok(),
                request: FineTuneRequest {
                    resume: true,
                    ..request
                },
            })
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// Removes what a run left beside its pack, if one made it.
///
/// # Errors
/// When it cannot be removed.
pub(in crate::engine) fn forget_run(out: &Path) -> Result<()> {
    let run = out.join(RUN_FOLDER);
    match std::fs::remove_dir_all(&run) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(&run, "remove", source))
        }
        _ => Ok(()),
    }
}

/// Removes the folder of a run, and the pack that it made if any.
///
/// # Errors
/// When no run lies in `out`, or it cannot be removed.
pub fn discard(out: &Path) -> Result<()> {
    if !out.join(RUN_FOLDER).is_dir() {
        return Err(Error::input(
            out,
            "holds no run of training, so it is not removed; give the folder of one",
        ));
    }
    std::fs::remove_dir_all(out).map_err(|source| Error::io(out, "remove", source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paused_run_is_found_again_until_it_is_discarded() -> Result<()> {
        let packs = tempfile::tempdir().expect("temporary folder");
        let out = packs.path().join("mine");
        remember(&FineTuneRequest::new(Path::new("corpus"), &out))?;
        std::fs::create_dir(packs.path().join("other")).expect("folder");
        let found = unfinished(packs.path());
        assert_eq!(found.len(), 1);
        assert!(found[0].name == "mine" && found[0].request.resume && found[0].request.out == out);
        assert!(discard(&packs.path().join("other")).is_err());
        std::fs::write(out.join("pack.json"), "{}").expect("write");
        assert!(unfinished(packs.path()).is_empty(), "finished");
        discard(&out)?;
        assert!(!out.exists());
        Ok(())
    }

    #[test]
    fn a_run_that_failed_is_not_called_paused() -> Result<()> {
        let packs = tempfile::tempdir().expect("temporary folder");
        let out = packs.path().join("mine");
        let request = FineTuneRequest::new(Path::new("corpus"), &out);
        let problem = || unfinished(packs.path()).first().map(|run| run.problem.clone());

        // Too few items are too few the next time.
        remember(&request)?;
        close(&out, &Error::new(ErrorKind::Input, "one usable item"));
        assert!(problem().is_none() && !out.exists());

        // With room on the disk it would have gone on, and so would one that has a checkpoint.
        remember(&request)?;
        close(&out, &Error::new(ErrorKind::Io, "the disk is full"));
        assert_eq!(problem(), Some(Some("the disk is full".to_owned())));
        std::fs::write(checkpoint_path(&out.join(RUN_FOLDER)), "x").expect("write");
        close(&out, &Error::new(ErrorKind::Input, "beyond all numbers"));
        assert_eq!(problem(), Some(Some("beyond all numbers".to_owned())));

        remember(&request)?;
        assert_eq!(problem(), Some(None), "it goes on");
        close(&out, &Error::cancelled());
        assert_eq!(problem(), Some(None), "it was paused");
        Ok(())
    }
}
