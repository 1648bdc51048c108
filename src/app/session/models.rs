//! The model manager: what is there, what is being fetched, the open import.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::engine::models::{Available, Installed, Inventory, Source, source_of};
use crate::jobs::JobId;
use crate::networks::weights::Network;

/// What can be fetched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::app) enum Subject {
    /// A pack that was downloaded, anew.
    Pack(String),
    /// A source.
    Source(String),
}

/// What is to be imported.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::app) struct Import {
    /// The checkpoint's path as typed.
    pub path: String,
    /// Which network it holds; `None` to be found out.
    pub network: Option<Network>,
    /// Name of the new pack; empty for the pack in use with the network's name behind it.
    pub name: String,
}

/// The open import form.
#[derive(Debug, Clone, Default)]
pub(in crate::app) struct ImportForm {
    pub import: Import,
    pub job: Option<JobId>,
    pub problem: Option<String>,
}

/// The model manager as it is shown.
#[derive(Debug, Default)]
pub(in crate::app) struct ModelsView {
    pub shown: bool,
    pub inventory: Inventory,
    /// What is being fetched.
    pub fetching: BTreeMap<Subject, JobId>,
    /// Why the last fetch failed.
    pub problems: BTreeMap<Subject, String>,
    pub verifying: Option<JobId>,
    /// What reading a pack's files through found, by its folder.
    pub verified: BTreeMap<PathBuf, Option<String>>,
    /// The pack whose removal waits for a yes.
    pub removing: Option<String>,
    pub import: Option<ImportForm>,
}

impl ModelsView {
    /// The packs that can be used.
    pub(in crate::app) fn usable(&self) -> impl Iterator<Item = &Installed> {
        self.inventory.packs.iter().filter(|pack| pack.problem.is_none())
    }

    /// Why `pack` cannot be used, where that is known.
    pub(in crate::app) fn problem_of<'a>(&'a self, pack: &'a Installed) -> Option<&'a str> {
        let found = self.verified.get(&pack.folder).and_then(Option::as_deref);
        pack.problem.as_deref().or(found)
    }

    /// Whether the pack called `name` can be downloaded anew.
    pub(in crate::app) fn can_repair(&self, name: &str) -> bool {
        let sources: Vec<Source> = self
            .inventory
            .sources
            .iter()
            .map(|line| line.source.clone())
            .collect();
        source_of(name, &sources).is_some_and(|(base, _)| self.usable().any(|pack| pack.name == base))
    }

    pub(in crate::app) fn source(&self, name: &str) -> Option<&Available> {
        self.inventory
            .sources
            .iter()
            .find(|line| line.source.name == name)
    }
}
