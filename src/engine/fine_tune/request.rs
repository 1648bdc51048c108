//! What can be asked of training, and what comes back.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::engine::corpus::{CUTS, RENDERINGS};
pub use crate::engine::pairs::{Source, Understood};
use crate::error::{Error, ErrorKind, Result};
use crate::networks::mrcmv::{self, Norm};
use crate::retrieval::Recall;
use crate::training::{Config, OptimizerConfig};

/// Epochs in which each item is drawn anew once. An item takes seconds, an epoch of the heads hardly one.
const REDRAW: usize = 20;

/// Which system is trained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// The paper's own.
    #[default]
    Mrcmv,
    /// Emotion tags, two streams (reference 7 of the paper).
    Cmmr,
    /// Soft intra-modal structure (reference 8 of the paper).
    Cbvmr,
}

impl Method {
    /// How it is trained unless told otherwise: the paper's values, or for the baselines the optimiser of VM-NET, since
    /// their losses are means and not sums.
    pub fn training(self) -> Config {
        match self {
            Self::Mrcmv => Config::default(),
            Self::Cmmr | Self::Cbvmr => Config {
                optimizer: OptimizerConfig::adam_w(),
                ..Config::default()
            },
        }
    }
}

impl FromStr for Method {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "mrcmv" => Ok(Self::Mrcmv),
            "cmmr" => Ok(Self::Cmmr),
            "cbvmr" => Ok(Self::Cbvmr),
            _ => Err(Error::new(
                ErrorKind::Input,
                format!("--method {text}: choose mrcmv, cmmr or cbvmr"),
            )),
        }
    }
}

/// Which parameters learn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// MRCMV's own modules, on cached features.
    #[default]
    Heads,
    /// Those and the last stages of SlowFast and VGGish.
    Last,
    /// Everything.
    All,
}

impl FromStr for Scope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "heads" => Ok(Self::Heads),
            "last" => Ok(Self::Last),
            "all" => Ok(Self::All),
            _ => Err(Error::new(
                ErrorKind::Input,
                format!("--scope {text}: choose heads, last or all"),
            )),
        }
    }
}

/// What the learning parameters are at first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// Each module as in the pack in use, where that has it; else drawn anew.
    #[default]
    Pack,
    /// Drawn anew from the seed, so that rows of a table start alike.
    Fresh,
}

impl FromStr for Start {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "pack" => Ok(Self::Pack),
            "fresh" => Ok(Self::Fresh),
            _ => Err(Error::new(
                ErrorKind::Input,
                format!("--start {text}: choose pack or fresh"),
            )),
        }
    }
}

/// What to train. [`FineTuneRequest::new`] has the defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FineTuneRequest {
    /// The corpus folder.
    pub corpus: PathBuf,
    /// The pack to write.
    pub out: PathBuf,
    /// The system.
    pub method: Method,
    /// Modules left out: `sa`, `cma`, `gate`, `pseudo-label`.
    pub without: Vec<String>,
    /// Which parameters learn.
    pub scope: Scope,
    /// Both sides swapped in training (reading, point 7).
    pub leak_free: bool,
    /// Passes over the corpus; `None` goes on until the loss converges.
    pub epochs: Option<usize>,
    /// Seed of everything random.
    pub seed: u64,
    /// Go on from the last checkpoint in `out`.
    pub resume: bool,
    /// First weights.
    pub start: Start,
    /// How embeddings are normalised; `None` as in the pack in use.
    pub norm: Option<Norm>,
    /// 32 s windows kept of each longer video, from which each epoch draws one.
    pub cuts: usize,
    /// Renderings of each cut's sounds, from which each epoch draws one of either side: mixes with another track and
    /// levels of the own one, or, where only the mix is known, gains.
    pub renderings: usize,
    /// Epochs in which each item is drawn anew once, an equal share of the items in every epoch: another cut, with sounds of
    /// its own. 1 is the reading to the letter; `None` keeps what was drawn at first. The baselines always keep it.
    pub redraw: Option<usize>,
    /// Stops after this many epochs without a better recall on the validation items and keeps the best; `None` runs all.
    pub patience: Option<usize>,
    /// Batch, optimiser, losses, whose `epochs` and `seed` give way to the ones above; `None` for the method's own.
    pub training: Option<Config>,
}

impl FineTuneRequest {
    /// The paper's training of the heads on `corpus`, written to `out`.
    pub fn new(corpus: &Path, out: &Path) -> Self {
        let training = Config::default();
        Self {
            corpus: corpus.to_owned(),
            out: out.to_owned(),
            method: Method::default(),
            without: Vec::new(),
            scope: Scope::default(),
            leak_free: true,
            epochs: None,
            seed: training.seed,
            resume: false,
            start: Start::default(),
            norm: None,
            cuts: CUTS,
            renderings: RENDERINGS,
            redraw: Some(REDRAW),
            patience: None,
            training: None,
        }
    }
}

impl FineTuneRequest {
    /// What the user's own finished videos are learnt by, a few dozen at most: [`Config::small_corpus`], not the paper's
    /// training, whose steps depend on how large the rows of the pack are ([`Config`]). A pack that ranks by distance is
    /// trained as the paper's.
    pub fn own_videos(engine: &Engine, corpus: &Path, out: &Path) -> Self {
        let norm = engine
            .pack()
            .config("mrcmv")
            .map_or(Norm::None, |heads: mrcmv::Config| heads.norm);
        Self {
            training: (norm != Norm::None).then(Config::small_corpus),
            ..Self::new(corpus, out)
        }
    }
}

/// What training tells while it goes on.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// An item was understood.
    Understood(Understood),
    /// An epoch is done; the state before training comes first.
    Epoch(EpochReport),
}

/// One point of the curves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// Epoch; 0 is the state before training, later ones count from 1.
    pub epoch: usize,
    /// Epochs asked for, or at most gone through where the loss is to converge.
    pub epochs: usize,
    /// Mean loss of eq. 5 over the epoch's batches.
    pub loss: f64,
    /// Recall@1 on the validation items, percent; `None` where there are too few.
    pub validation_r1: Option<f64>,
    /// Recall@10 on the validation items, percent; `None` where there are too few.
    pub validation_r10: Option<f64>,
    /// Margin in force; `None` where the loss has none that is raised.
    pub margin: Option<f64>,
}

/// What training left.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FineTuneReport {
    /// The pack's folder.
    #[serde(serialize_with = "crate::files::serialize_path")]
    pub pack: PathBuf,
    /// The curves.
    pub epochs: Vec<EpochReport>,
    /// Recall on the validation items before training; `None` where there are too few.
    pub before: Option<Recall>,
    /// Recall on the validation items of the weights that were written.
    pub after: Option<Recall>,
    /// "leak-free" where every pair was swapped from clean stems, "masked" where some or all had only their mix
    /// (reading, point 7), "paper" where swapping was off.
    pub pairing: String,
    /// Items used.
    pub used: usize,
    /// Those whose music was recognised as a track of the library, whose clean file was learnt from.
    pub recognised: usize,
    /// Items passed over, and why.
    pub rejected: Vec<(String, String)>,
}
