//! Jobs of the model: opening it, looking a corpus over, training.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::bounded;

use super::{Outcome, Task};
use crate::app::App;
use crate::app::session::Ending;
use crate::app::state::Until;
use crate::engine::Engine;
use crate::engine::corpus::{check_corpus, gather_corpus};
use crate::engine::fine_tune::{FineTuneRequest, discard, fine_tune, unfinished};
use crate::engine::models::inventory;

/// Epochs without a better recall after which a run ends that is to keep the best.
const PATIENCE: usize = 20;

impl App {
    pub(in crate::app) fn start_engine(&mut self) {
        self.engine_request += 1;
        let request = self.engine_request;
        let options = self.state.engine_options();
        self.start("Open the model", Task::Engine { request }, move |_| {
            let inventory = inventory(&options.folders);
            let engine = Engine::open(options)?;
            Ok(Outcome::Engine(Arc::new(engine), inventory))
        });
    }

    pub(in crate::app) fn start_corpus_check(&mut self, folder: PathBuf) {
        self.cancel_tasks(|task| matches!(task, Task::Corpus(_)));
        self.state.training.checking = true;
        self.state.training.corpus = None;
        self.state.training.problem = None;
        self.start(
            "Look the corpus over",
            Task::Corpus(folder.clone()),
            move |monitor| check_corpus(&folder, monitor).map(Outcome::Corpus),
        );
    }

    /// Makes a corpus of finished videos beside the library.
    pub(in crate::app) fn start_gathering(&mut self, videos: Vec<PathBuf>) {
        let corpora = self.state.folders.data.join("corpora");
        let name = free_name(&corpora, "my-videos");
        let folder = corpora.join(&name);
        self.state.training.problem = None;
        self.start("Gather the videos", Task::Gather, move |_| {
            gather_corpus(&videos, &name, &folder)?;
            Ok(Outcome::Gathered(folder))
        });
    }

    /// Looks for runs that can be resumed, after `discarded` was removed.
    pub(in crate::app) fn start_listing_runs(&mut self, discarded: Option<&str>) {
        let packs = self.state.folders.packs();
        let discarded = discarded.map(|name| packs.join(name));
        self.start("Look for paused training", Task::Runs, move |_| {
            if let Some(folder) = discarded {
                discard(&folder)?;
            }
            Ok(Outcome::Runs(unfinished(&packs)))
        });
    }

    pub(in crate::app) fn start_training(&mut self) {
        let window = &self.state.window;
        let name = free_name(&self.state.folders.packs(), window.pack_name.trim());
        let Some(engine) = self.state.engine.ready() else {
            return;
        };
        let out = self.state.folders.packs().join(&name);
        let mut request = FineTuneRequest::own_videos(engine, Path::new(window.corpus.trim()), &out);
        request.scope = window.scope;
        request.epochs = (window.until == Until::Epochs).then_some(window.epochs);
        request.patience = (window.until == Until::Recall).then_some(PATIENCE);
        request.seed = window.seed;
        self.run_training(name, request);
    }

    /// Starts a run, or goes on with one.
    pub(in crate::app) fn run_training(&mut self, name: String, request: FineTuneRequest) {
        let Some(engine) = self.state.engine.ready().cloned() else {
            return;
        };
        // A slow window misses a point of the curve, never the run.
        let (send, receive) = bounded(4096);
        self.training_news = Some(receive);
        let ctx = self.ctx.clone();
        let id = self.start(format!("Train {name}"), Task::Train, move |monitor| {
            let on_news = move |news| {
                let _ = send.try_send(news);
                ctx.request_repaint();
            };
            fine_tune(&engine, &request, &on_news, monitor).map(Outcome::Trained)
        });
        let training = &mut self.state.training;
        training.job = Some(id);
        training.ending = Ending::Pause;
        training.unfinished.retain(|run| run.name != name);
        training.understood.clear();
        training.curve.clear();
        training.report = None;
        training.problem = None;
        training.pack = Some(name);
    }
}

/// `name`, or with a number behind it where a folder of that name is there already.
fn free_name(folder: &Path, name: &str) -> String {
    let mut free = name.to_owned();
    let mut number = 2;
    while folder.join(&free).exists() {
        free = format!("{name}-{number}");
        number += 1;
    }
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_pack_never_replaces_one() {
        let home = tempfile::tempdir().expect("temporary folder");
        assert_eq!(free_name(home.path(), "mine"), "mine");
        std::fs::create_dir(home.path().join("mine")).expect("folder");
        std::fs::create_dir(home.path().join("mine-2")).expect("folder");
        assert_eq!(free_name(home.path(), "mine"), "mine-3");
    }
}
