//! Jobs of the model manager: listing, verifying, fetching, importing, removing.

use std::path::PathBuf;

use super::{Outcome, Task};
use crate::app::App;
use crate::app::session::{Import, Subject, file_name};
use crate::engine::models::{self, ImportRequest, Installed};
use crate::error::Result;
use crate::jobs::{JobId, Monitor};
use crate::networks::weights::Pack;

impl App {
    /// Looks again at what is there.
    pub(in crate::app) fn start_models(&mut self) {
        let folders = self.state.folders.clone();
        self.start("List the models", Task::Models, move |_| {
            Ok(Outcome::Models(models::inventory(&folders)))
        });
    }

    /// Reads every file of every pack through.
    pub(in crate::app) fn start_verifying(&mut self) -> JobId {
        let packs = self.state.models.inventory.packs.clone();
        self.start("Verify the models", Task::Verify, move |monitor| {
            verify(&packs, monitor).map(Outcome::Verified)
        })
    }

    /// Downloads a source over the pack in use, or a damaged pack anew; goes on where an earlier download stopped.
    pub(in crate::app) fn start_fetching(&mut self, subject: &Subject) -> Option<JobId> {
        let folders = self.state.folders.clone();
        let task = Task::Fetch(subject.clone());
        Some(match subject {
            Subject::Source(name) => {
                let base = self.state.engine.ready()?.pack().clone();
                let source = self.state.models.source(name)?.source.clone();
                self.start(format!("Download {name}"), task, move |monitor| {
                    models::download(&base, &folders, &source, monitor).map(Outcome::Pack)
                })
            }
            Subject::Pack(name) => {
                let name = name.clone();
                self.start(format!("Repair {name}"), task, move |monitor| {
                    models::repair(&folders, &name, monitor).map(Outcome::Pack)
                })
            }
        })
    }

    /// Makes a pack of the one in use with a network from `file`.
    pub(in crate::app) fn start_importing(&mut self, import: &Import, file: PathBuf) -> Option<JobId> {
        let base = self.state.engine.ready()?.pack().clone();
        let folders = self.state.folders.clone();
        let network = import.network;
        let name = Some(import.name.trim().to_owned()).filter(|name| !name.is_empty());
        let title = format!("Import {}", file_name(&file));
        Some(self.start(title, Task::Import, move |monitor| {
            let request = ImportRequest {
                network,
                file: &file,
                name,
                licence: None,
                origin: None,
            };
            models::import(&base, &folders, &request, monitor).map(Outcome::Pack)
        }))
    }

    pub(in crate::app) fn start_removing(&mut self, name: String) {
        let folders = self.state.folders.clone();
        self.start(format!("Remove {name}"), Task::Remove, move |_| {
            models::remove(&folders, &name)?;
            Ok(Outcome::Removed(name))
        });
    }

    /// Throws away what came of an interrupted download.
    pub(in crate::app) fn start_discarding(&mut self, name: &str) {
        let Some(source) = self.state.models.source(name).map(|line| line.source.clone()) else {
            return;
        };
        let folders = self.state.folders.clone();
        self.start("Discard a download", Task::Models, move |_| {
            models::discard_download(&folders, &source)?;
            Ok(Outcome::Models(models::inventory(&folders)))
        });
    }
}

/// For each pack its folder, and why it cannot be used if it cannot.
fn verify(packs: &[Installed], monitor: &Monitor) -> Result<Vec<(PathBuf, Option<String>)>> {
    let mut verdicts = Vec::new();
    for (at, line) in packs.iter().enumerate() {
        monitor.check()?;
        let stage = format!("Verifying {}", line.name);
        monitor.progress(&stage, Some(at as f32 / packs.len() as f32));
        let verified =
            Pack::open(&line.folder).and_then(|pack| pack.verify_watched(&mut |_| monitor.check()));
        let problem = match verified {
            Err(error) if error.is_cancelled() => return Err(error),
            other => other.err().map(|error| error.to_string()),
        };
        verdicts.push((line.folder.clone(), problem));
    }
    Ok(verdicts)
}
