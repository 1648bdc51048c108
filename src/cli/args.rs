//! The arguments as clap reads them; each command checks them and makes one engine call.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::device::DeviceChoice;
use crate::engine::evaluate::{Floor, Protocol};
use crate::engine::fine_tune::{Method, Scope, Start};
use crate::engine::index::Songs;
use crate::error::{Error, ErrorKind};
use crate::mix::DuckingPreset;
use crate::networks::mrcmv::Norm;
use crate::networks::weights::Network;

#[derive(Debug, Parser)]
#[command(
    name = "undertone",
    version,
    about = "Background music for videos with a voice-over",
    long_about = "Background music for videos with a voice-over. Without a command the window opens.",
    disable_help_subcommand = true
)]
pub(super) struct Arguments {
    /// Video or sound file to open in the window
    pub(super) file: Option<PathBuf>,
    /// Open the window with the demo
    #[arg(long, conflicts_with = "file")]
    pub(super) demo: bool,
    #[command(flatten)]
    pub(super) common: CommonArgs,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct CommonArgs {
    /// Where networks compute: auto, cpu, cuda or metal [default: as in the settings]
    #[arg(long, global = true, value_name = "DEVICE")]
    pub(super) device: Option<DeviceChoice>,
    /// Pack of weights, by name or folder [default: as in the settings]
    #[arg(long, global = true, value_name = "NAME_OR_DIR")]
    pub(super) pack: Vec<String>,
    /// Library file [default: in the user's data folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) library: Option<PathBuf>,
    /// Say more on stderr; twice for still more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
}

impl CommonArgs {
    /// The pack that was named, if any.
    ///
    /// # Errors
    /// When several were.
    pub(super) fn one_pack(&self) -> Result<Option<&str>, Error> {
        match self.pack.as_slice() {
            [] => Ok(None),
            [pack] => Ok(Some(pack)),
            _ => Err(Error::new(
                ErrorKind::Input,
                "--pack was given more than once; name one pack",
            )),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Suggest music of the library for a video
    Suggest(SuggestArgs),
    /// Add files and folders to the library; again for only what changed
    Index(IndexArgs),
    /// Separate voice-over and music into voice.wav and bgm.wav
    Separate(SeparateArgs),
    /// Write every stage of a query as safetensors
    Features(FeaturesArgs),
    /// Train a pack on a corpus
    Train(TrainArgs),
    /// Measure packs on a corpus, as the paper's Table 1
    Evaluate(EvaluateArgs),
    /// Look over or make a corpus
    #[command(subcommand)]
    Corpus(CorpusCommand),
    /// Write a video with a track mixed under its voice
    Export(ExportArgs),
    /// The packs that are there
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Look at devices, GStreamer, sound, packs, folders and free disk
    Doctor(DoctorArgs),
}

/// Which sound is the voice.
#[derive(Debug, Args)]
pub(super) struct VoiceArgs {
    /// Start of the 32 s window, in seconds
    #[arg(long, default_value_t = 0.0, value_name = "S", allow_negative_numbers = true)]
    pub(super) start: f64,
    /// Use this file's sound as the voice
    #[arg(long, value_name = "FILE", conflicts_with = "no_separate")]
    pub(super) voice: Option<PathBuf>,
    /// Take the media's sound as pure voice
    #[arg(long)]
    pub(super) no_separate: bool,
}

#[derive(Debug, Args)]
pub(super) struct SuggestArgs {
    /// Video or sound file
    pub(super) media: PathBuf,
    /// How many suggestions
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) top: u32,
    #[command(flatten)]
    pub(super) voice: VoiceArgs,
    /// -1 picture only … +1 voice only; 0 as trained
    #[arg(long, default_value_t = 0.0, value_name = "B", allow_negative_numbers = true)]
    pub(super) balance: f64,
    /// Only tracks with this tag; may be repeated
    #[arg(long, value_name = "T")]
    pub(super) tag: Vec<String>,
    /// Only tracks whose title, artist or tags hold these words
    #[arg(long, value_name = "WORDS")]
    pub(super) text: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct IndexArgs {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Take singing out before listening: auto, yes or no
    #[arg(long, default_value = "auto", value_name = "WHEN")]
    pub(super) songs: Songs,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct SeparateArgs {
    /// Video or sound file
    pub(super) media: PathBuf,
    /// Folder for voice.wav and bgm.wav
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct FeaturesArgs {
    /// Video or sound file
    pub(super) media: PathBuf,
    #[command(flatten)]
    pub(super) voice: VoiceArgs,
    /// File to write
    #[arg(long, value_name = "F.safetensors")]
    pub(super) out: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct TrainArgs {
    /// Corpus folder
    #[arg(long, value_name = "DIR")]
    pub(super) corpus: PathBuf,
    /// Pack folder to write
    #[arg(long, value_name = "PACK_DIR")]
    pub(super) out: PathBuf,
    /// mrcmv, cmmr or cbvmr
    #[arg(long, default_value = "mrcmv")]
    pub(super) method: Method,
    /// Leave a module out: sa, cma, gate or pseudo-label; may be repeated
    #[arg(long, value_name = "MODULE", value_parser = ["sa", "cma", "gate", "pseudo-label"])]
    pub(super) without: Vec<String>,
    /// Which parameters learn: heads, last or all
    #[arg(long, default_value = "heads")]
    pub(super) scope: Scope,
    /// Swap both sides of every pair: on or off
    #[arg(long, default_value = "on", value_name = "on|off", action = clap::ArgAction::Set,
          value_parser = on_or_off)]
    pub(super) leak_free: bool,
    /// Passes over the corpus
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) epochs: Option<u32>,
    /// Seed of everything random
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Go on from the last checkpoint
    #[arg(long)]
    pub(super) resume: bool,
    /// Stop after N epochs without a better recall on the validation items, and keep the best
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) patience: Option<u32>,
    /// First weights: as in the pack in use, or fresh
    #[arg(long, default_value = "pack", value_name = "pack|fresh")]
    pub(super) start: Start,
    /// Pairs of a batch [default: 32]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    pub(super) batch: Option<u32>,
    /// How gradients move the weights: sgd (momentum 0.9) or adamw [default: the method's own]
    #[arg(long, value_name = "sgd|adamw")]
    pub(super) optimizer: Option<Descent>,
    /// Learning rate [default: the optimiser's: 1e-6 for sgd, 3e-4 for adamw]
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(super) rate: Option<f64>,
    /// Weight of the pseudo-label loss [default: 0.1]
    #[arg(long, value_name = "L", value_parser = weight)]
    pub(super) lambda: Option<f64>,
    /// Margin of the first 80 epochs [default: 30]
    #[arg(long, value_name = "M", value_parser = weight)]
    pub(super) margin: Option<f64>,
    /// How embeddings are normalised: unit, sqrt-dim or none [default: as in the pack in use]
    #[arg(long, value_name = "NORM", value_parser = norm)]
    pub(super) norm: Option<Norm>,
    /// Windows of 32 s kept of each longer video
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) cuts: u32,
}

#[derive(Debug, Args)]
pub(super) struct EvaluateArgs {
    /// Corpus folder
    #[arg(long, value_name = "DIR")]
    pub(super) corpus: PathBuf,
    /// A row that needs no pack: chance or tag-random; may be repeated
    #[arg(long, value_name = "FLOOR")]
    pub(super) floor: Vec<Floor>,
    /// Where the sounds come from: separated or clean; may be repeated [default: all that the corpus allows]
    #[arg(long, value_name = "PROTOCOL")]
    pub(super) protocol: Vec<Protocol>,
    /// Train the rows that are missing first
    #[arg(long)]
    pub(super) train: bool,
    /// Passes over the corpus in training them
    #[arg(long, value_name = "N", requires = "train", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) epochs: Option<u32>,
    /// Seed of training, of the intervals and of the floors
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(super) seed: u64,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum CorpusCommand {
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

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The video
    pub(super) video: PathBuf,
    /// The track: its file, or its number in the library
    #[arg(long, value_name = "FILE_OR_ID")]
    pub(super) track: PathBuf,
    /// Where in the track the video starts, in seconds
    #[arg(long, default_value_t = 0.0, value_name = "S", allow_negative_numbers = true)]
    pub(super) at: f64,
    /// How far the music gives way to the voice: off, gentle, normal or strong
    #[arg(long, default_value = "normal", value_parser = ducking)]
    pub(super) duck: DuckingPreset,
    /// Loudness of the mix in LUFS, or off [default: as in the settings]
    #[arg(long, value_name = "LUFS", value_parser = loudness, allow_negative_numbers = true)]
    pub(super) loudness: Option<Loudness>,
    /// What becomes of the music that is in the video: keep or replace
    #[arg(long, default_value = "replace", value_name = "keep|replace", value_parser = ["keep", "replace"])]
    pub(super) bgm: String,
    /// File to write: .mp4, .mkv, .webm or .wav
    #[arg(long, value_name = "FILE")]
    pub(super) out: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// All packs with licence, size and origin
    List {
        /// What can be downloaded instead
        #[arg(long)]
        available: bool,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Check every file of every pack, or of the named ones, against its sha256
    Verify {
        /// Pack names or folders
        #[arg(value_name = "NAME_OR_DIR")]
        packs: Vec<String>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Make a pack of the one in use with a network from a checkpoint
    Import {
        /// Official checkpoint, TensorFlow index, release archive or safetensors
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Which network it holds: slowfast, vggish, spleeter or mrcmv
        #[arg(long = "as", value_name = "NETWORK")]
        network: Network,
        /// Name of the new pack [default: <pack in use>+<network>]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// Fetch an official checkpoint, check it and import it; again to go on or to repair
    Download {
        /// A name of `models list --available`
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Remove a pack of your own
    Remove {
        /// The pack's name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Run one network on given tensors, to compare numbers and time
    Run(ModelsRunArgs),
}

#[derive(Debug, Args)]
pub(super) struct ModelsRunArgs {
    /// slowfast, vggish, spleeter or mrcmv
    pub(super) network: Network,
    /// A pack's file or an official checkpoint
    #[arg(long, value_name = "FILE")]
    pub(super) weights: PathBuf,
    /// Safetensors with the network's inputs
    #[arg(long, value_name = "X.safetensors")]
    pub(super) input: PathBuf,
    /// Where the outputs go, as safetensors
    #[arg(long, value_name = "Y.safetensors")]
    pub(super) out: PathBuf,
    /// How often to run it
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) repeat: u32,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// A loudness target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Loudness {
    /// As mixed.
    Off,
    /// This many LUFS.
    Lufs(f64),
}

fn loudness(text: &str) -> Result<Loudness, Error> {
    if text == "off" {
        return Ok(Loudness::Off);
    }
    text.parse()
        .ok()
        .filter(|lufs| (-60.0..=-5.0).contains(lufs))
        .map(Loudness::Lufs)
        .ok_or_else(|| choose("a number from -60 to -5 (LUFS), or off"))
}

fn ducking(text: &str) -> Result<DuckingPreset, Error> {
    match text {
        "off" => Ok(DuckingPreset::Off),
        "gentle" => Ok(DuckingPreset::Gentle),
        "normal" => Ok(DuckingPreset::Normal),
        "strong" => Ok(DuckingPreset::Strong),
        _ => Err(choose("off, gentle, normal or strong")),
    }
}

/// How gradients move the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Descent {
    Sgd,
    Adamw,
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

fn choose(what: &str) -> Error {
    Error::new(ErrorKind::Input, format!("choose {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn numbers_may_be_negative() {
        let line = "undertone suggest a.mp4 --balance -0.5 --pack p --device cpu";
        let arguments = Arguments::try_parse_from(line.split(' ')).expect("valid");
        assert_eq!(arguments.common.pack, ["p"]);
        let Some(Command::Suggest(suggest)) = arguments.command else {
            panic!("suggest");
        };
        assert_eq!(suggest.balance, -0.5);
        assert_eq!(loudness("-14").expect("valid"), Loudness::Lufs(-14.0));
        assert!(loudness("14").is_err() && loudness("NaN").is_err());
    }

    #[test]
    fn options_may_stand_before_the_command() {
        let line = "undertone --device cpu --pack a --library l.sqlite evaluate --corpus c --pack b --pack d";
        let arguments = Arguments::try_parse_from(line.split(' ')).expect("valid");
        assert_eq!(arguments.common.device, Some(DeviceChoice::Cpu));
        assert_eq!(arguments.common.pack, ["b", "d"]);
        assert!(arguments.common.library.is_some());
    }
}
