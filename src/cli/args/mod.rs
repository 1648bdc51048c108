//! The arguments as clap reads them; each command checks them and makes one engine call.

mod models;
mod training;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::device::DeviceChoice;
use crate::engine::index::Songs;
use crate::error::{Error, ErrorKind};
use crate::mix::DuckingPreset;

pub(super) use self::models::{ModelsCommand, ModelsRunArgs};
pub(super) use self::training::{CorpusCommand, Descent, EvaluateArgs, Redraw, Separation, TrainArgs};

#[derive(Debug, Parser)]
#[command(
    name = "undertone",
    version,
    about = "Background music for videos with a voice-over",
    long_about = "Background music for videos with a voice-over. Without a command the window opens."
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
