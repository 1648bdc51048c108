//! Arguments of `train`, `evaluate` and `corpus`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::choose;
use crate::engine::evaluate::{Ask, Floor, Protocol};
use crate::engine::fine_tune::{Method, Scope, Start};
use crate::error::Error;
use crate::networks::mrcmv::Norm;
use crate::training::RateSchedule;

#[derive(Debug, Args)]
pub(in crate::cli) struct TrainArgs {
    /// Corpus folder
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) corpus: PathBuf,
    /// Pack folder to write
    #[arg(long, value_name = "PACK_DIR")]
    pub(in crate::cli) out: PathBuf,
    /// mrcmv, cmmr or cbvmr
    #[arg(long, default_value = "mrcmv")]
    pub(in crate::cli) method: Method,
    /// Leave a module out: sa, cma, gate or pseudo-label; may be repeated
    #[arg(long, value_name = "MODULE", value_parser = ["sa", "cma", "gate", "pseudo-label"])]
    pub(in crate::cli) without: Vec<String>,
    /// Which parameters learn: heads, last or all
    #[arg(long, default_value = "heads")]
    pub(in crate::cli) scope: Scope,
    /// Swap both sides of every pair: on or off
    #[arg(long, default_value = "on", value_name = "on|off", action = clap::ArgAction::Set,
          value_parser = on_or_off)]
    pub(in crate::cli) leak_free: bool,
    /// Passes over the corpus [default: until the loss converges, at most 200]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) epochs: Option<u32>,
    /// Seed of everything random
    #[arg(long, value_name = "N")]
    pub(in crate::cli) seed: Option<u64>,
    /// Go on from the last checkpoint
    #[arg(long)]
    pub(in crate::cli) resume: bool,
    /// Stop after N epochs without a better recall on the validation items, and keep the best
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) patience: Option<u32>,
    /// First weights: as in the pack in use, or fresh
    #[arg(long, default_value = "pack", value_name = "pack|fresh")]
    pub(in crate::cli) start: Start,
    /// Pairs of a batch [default: 32]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    pub(in crate::cli) batch: Option<u32>,
    /// How gradients move the weights: sgd (momentum 0.9) or adamw [default: the method's own]
    #[arg(long, value_name = "sgd|adamw")]
    pub(in crate::cli) optimizer: Option<Descent>,
    /// Learning rate [default: the optimiser's: 1e-6 for sgd, the paper's, and 3e-4 for adamw]
    ///
    /// The paper's loss is a sum over all pairs of a batch, so its steps grow with the batch and with the features. Where the loss
    /// leaps up in the second epoch, the rate is too high: with --norm sqrt-dim and the pack that comes with the program, 1e-8.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(in crate::cli) rate: Option<f64>,
    /// How far adamw shrinks the weights in each step, times the rate [default: 0]
    #[arg(long, value_name = "W", value_parser = weight)]
    pub(in crate::cli) weight_decay: Option<f64>,
    /// The rate over the epochs: constant, or cosine down to nothing at the last of --epochs
    #[arg(long, default_value = "constant", value_name = "constant|cosine", value_parser = schedule)]
    pub(in crate::cli) schedule: RateSchedule,
    /// What tells a pair from the others of its batch: triplet, the paper's, or contrastive
    #[arg(long, default_value = "triplet", value_name = "triplet|contrastive")]
    pub(in crate::cli) objective: Separation,
    /// What the contrastive objective divides cosines by [default: 0.07]
    #[arg(long, value_name = "T", value_parser = rate)]
    pub(in crate::cli) temperature: Option<f64>,
    /// Weight of the pseudo-label loss [default: 0.1]
    #[arg(long, value_name = "L", value_parser = weight)]
    pub(in crate::cli) lambda: Option<f64>,
    /// Margin of the first 80 epochs [default: 30]
    #[arg(long, value_name = "M", value_parser = weight)]
    pub(in crate::cli) margin: Option<f64>,
    /// How embeddings are normalised: unit, sqrt-dim or none [default: as in the pack in use]
    #[arg(long, value_name = "NORM", value_parser = norm)]
    pub(in crate::cli) norm: Option<Norm>,
    /// Windows of 32 s kept of each longer video at first, from which each epoch draws one
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) cuts: u32,
    /// Renderings of each window's sounds, from which each epoch draws
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) renderings: u32,
    /// Draw every item anew once in N epochs, an Nth of them in each: another window, with sounds of its own [default: 20]
    ///
    /// The paper cuts, and the leak-free reading mixes, every item anew in every epoch: that is 1, and takes about 3 s of
    /// processor time an item and epoch with the pack that comes with the program. With the default a window is learnt from
    /// for up to 80 epochs. "never" keeps the windows and sounds of the first epoch, as cmmr and cbvmr always do.
    #[arg(long, value_name = "N|never", value_parser = redraw)]
    pub(in crate::cli) redraw: Option<Redraw>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct EvaluateArgs {
    /// Corpus folder
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) corpus: PathBuf,
    /// A row that needs no pack: chance or tag-random; may be repeated
    #[arg(long, value_name = "FLOOR")]
    pub(in crate::cli) floor: Vec<Floor>,
    /// Where the sounds come from: separated or clean; may be repeated [default: all that the corpus allows]
    #[arg(long, value_name = "PROTOCOL")]
    pub(in crate::cli) protocol: Vec<Protocol>,
    /// What the queries are asked with: both, voice or picture; may be repeated, a row each [default: both]
    #[arg(long, value_name = "MODALITY")]
    pub(in crate::cli) ask: Vec<Ask>,
    /// Train the rows that are missing first
    #[arg(long)]
    pub(in crate::cli) train: bool,
    /// Passes over the corpus in training them [default: until the loss converges, at most 200]
    #[arg(long, value_name = "N", requires = "train", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) epochs: Option<u32>,
    /// Seed of training, of the intervals and of the floors
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(in crate::cli) seed: u64,
    /// Print one JSON document
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum CorpusCommand {
    /// Look every item over
    Check {
        /// Corpus folder
        folder: PathBuf,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Make a corpus from a published list and the videos that were downloaded
    Import {
        /// hok400 or cfm400
        #[arg(long, value_parser = ["hok400", "cfm400"])]
        name: String,
        /// Folder with the published lists
        #[arg(long, value_name = "DIR")]
        lists: PathBuf,
        /// Folder with the videos, named by their id
        #[arg(long, value_name = "DIR")]
        videos: PathBuf,
        /// Corpus folder to make
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Make the corpus arena: videos with a voice-over and a BGM that answers it, drawn by lot
    Generate {
        /// Corpus folder to make, or to go on with
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Training videos; a tenth as many come on top for validation
        #[arg(long, default_value_t = 265, value_name = "N")]
        train: usize,
        /// Test videos
        #[arg(long, default_value_t = 162, value_name = "N")]
        test: usize,
        /// Seed of everything random
        #[arg(long, default_value_t = 0, value_name = "N")]
        seed: u64,
        /// Draw voice, picture and BGM independently of each other
        #[arg(long)]
        null: bool,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

/// How gradients move the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Descent {
    Sgd,
    Adamw,
}

/// What tells a pair from the others of its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Separation {
    Triplet,
    Contrastive,
}

/// How often an item is drawn anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Redraw {
    Never,
    Every(usize),
}

fn redraw(text: &str) -> Result<Redraw, Error> {
    match text.parse() {
        Ok(epochs) if epochs > 0 => Ok(Redraw::Every(epochs)),
        _ if text == "never" => Ok(Redraw::Never),
        _ => Err(choose("a number of epochs from 1 on, or never")),
    }
}

fn schedule(text: &str) -> Result<RateSchedule, Error> {
    match text {
        "constant" => Ok(RateSchedule::Constant),
        "cosine" => Ok(RateSchedule::Cosine),
        _ => Err(choose("constant or cosine")),
    }
}

fn rate(text: &str) -> Result<f64, Error> {
    text.parse()
        .ok()
        .filter(|rate: &f64| *rate > 0.0 && rate.is_finite())
        .ok_or_else(|| choose("a number above 0, such as 1e-6"))
}

fn weight(text: &str) -> Result<f64, Error> {
    text.parse()
        .ok()
        .filter(|weight: &f64| *weight >= 0.0 && weight.is_finite())
        .ok_or_else(|| choose("a number from 0 on"))
}

fn norm(text: &str) -> Result<Norm, Error> {
    match text {
        "unit" => Ok(Norm::Unit),
        "sqrt-dim" => Ok(Norm::SqrtDim),
        "none" => Ok(Norm::None),
        _ => Err(choose("unit, sqrt-dim or none")),
    }
}

fn on_or_off(text: &str) -> Result<bool, Error> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(choose("on or off")),
    }
}
