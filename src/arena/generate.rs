//! Making the corpus: several videos at a time, each whole or not at all, and what is there already is kept.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::draft::{Draft, Tools};
use super::draw::stream;
use super::picture::{self, Film};
use super::sound::{RATE, samples};
use super::story::{Telling, Told, ceiling};
use super::{effects, music, speech, stem, version};
use crate::error::{Error, Result};
use crate::files::atomic_write;
use crate::jobs::Monitor;
use crate::media::{AudioFormat, MixedSound, MovingPicture, encode_video};
use crate::retrieval::{Recall, rank_of, recall};
use crate::training::corpus::{self, Corpus, Item, Split};

/// The corpus's name.
const NAME: &str = "arena";
/// The name with independent sides.
const NULL_NAME: &str = "arena-null";
/// What a folder of ours was asked for.
const ABOUT: &str = "arena.json";

/// What to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerateRequest {
    /// The corpus folder.
    pub out: PathBuf,
    /// Training videos. A tenth as many come on top for validation, with voices, tracks, texts and an arena of their own.
    pub train: usize,
    /// Test videos.
    pub test: usize,
    /// Everything is drawn from it.
    pub seed: u64,
    /// Voice, picture and BGM of independent stories.
    pub null: bool,
}

impl GenerateRequest {
    /// As many videos as the paper's HoK400 has.
    pub fn new(out: &Path) -> Self {
        Self {
            out: out.to_owned(),
            train: 265,
            test: 162,
            seed: 0,
            null: false,
        }
    }
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GenerateReport {
    /// The file that names all items.
    #[serde(serialize_with = "crate::files::serialize_path")]
    pub corpus: PathBuf,
    /// Training videos.
    pub train: usize,
    /// Validation videos.
    pub val: usize,
    /// Test videos.
    pub test: usize,
    /// Videos that were there already.
    pub kept: usize,
    /// [`version`] of the generator.
    pub generator: String,
    /// Recall of the test split ranked by the tellings themselves, percent: no listener can do better.
    pub ceiling: Recall,
}

/// What decides a folder's content but for the number of its videos.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct About {
    generator: String,
    seed: u64,
    null: bool,
    /// Voices and soundfonts that were installed.
    tools: Vec<String>,
}

/// An item's own file: what it was made of.
#[derive(Debug, Serialize)]
struct Card<'a> {
    id: &'a str,
    duration_s: f64,
    in_point_s: f64,
    track_s: f64,
    speaker: String,
    player: String,
    arena: String,
    bed_db: f32,
    sounds_db: f32,
    voice: &'a Telling,
    picture: &'a Telling,
    bgm: &'a Telling,
}

/// Makes the corpus. A run that was stopped goes on where it stopped, and a larger one keeps the videos of a
/// smaller one.
///
/// # Errors
/// When espeak-ng is missing, a synthesiser or an encoder fails, the folder holds something else, or the disk refuses;
/// cancelled.
pub fn generate(request: &GenerateRequest, monitor: &Monitor) -> Result<GenerateReport> {
    let tools = Tools::find(monitor)?;
    claim(request, &tools)?;
    let drafts = drafts(request, &tools);
    let (done, kept) = (AtomicUsize::new(0), AtomicUsize::new(0));
    drafts.par_iter().try_for_each(|draft| {
        monitor.check()?;
        if is_made(&request.out, draft) {
            kept.fetch_add(1, Ordering::Relaxed);
        } else {
            make(&request.out, request.seed, draft, monitor)?;
        }
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        monitor.progress(
            &format!("Made {done} of {} videos", drafts.len()),
            Some(done as f32 / drafts.len() as f32),
        );
        Ok::<(), Error>(())
    })?;
    let items: Vec<Item> = drafts.iter().map(item).collect();
    let count = |split: Split| items.iter().filter(|item| item.split == split).count();
    let told: Vec<Told> = drafts
        .iter()
        .filter(|draft| draft.split == Split::Test)
        .map(|draft| draft.told.clone())
        .collect();
    Ok(GenerateReport {
        corpus: corpus::write(&request.out, name(request), &items)?,
        train: count(Split::Train),
        val: count(Split::Val),
        test: count(Split::Test),
        kept: kept.into_inner(),
        generator: version(),
        ceiling: best(&told),
    })
}

fn name(request: &GenerateRequest) -> &'static str {
    if request.null { NULL_NAME } else { NAME }
}

/// Makes the folders, unless they hold something else.
fn claim(request: &GenerateRequest, tools: &Tools) -> Result<()> {
    let out = &request.out;
    let about = About {
        generator: version(),
        seed: request.seed,
        null: request.null,
        tools: tools.names(),
    };
    let path = out.join(ABOUT);
    match std::fs::read(&path) {
        Ok(bytes) => {
            let there: Option<About> = serde_json::from_slice(&bytes).ok();
            if there != Some(about) {
                return Err(Error::input(
                    out,
                    "holds an arena of another seed, kind or version of the generator; choose another folder",
                ));
            }
            Ok(())
        }
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
            if out.join(corpus::FILE_NAME).exists() {
                let other = Corpus::open(out).map_or_else(|_| "another".to_owned(), |corpus| corpus.name);
                return Err(Error::input(
                    out,
                    format!("holds the corpus {other} already; choose another folder"),
                ));
            }
            for folder in ["videos", "stems", "cards"] {
                let folder = out.join(folder);
                std::fs::create_dir_all(&folder).map_err(|source| Error::io(&folder, "write", source))?;
            }
            let text = serde_json::to_vec_pretty(&about).map_err(|source| {
                Error::internal("the folder's card cannot be written").with_source(source)
            })?;
            atomic_write(&path, &text)
        }
        Err(source) => Err(Error::io(&path, "read", source)),
    }
}

fn drafts(request: &GenerateRequest, tools: &Tools) -> Vec<Draft> {
    [
        (Split::Train, request.train),
        (Split::Val, request.train / 10),
        (Split::Test, request.test),
    ]
    .into_iter()
    .flat_map(|(split, count)| (1..=count).map(move |number| (split, number)))
    .map(|(split, number)| Draft::new(request.seed, request.null, split, number, tools))
    .collect()
}

/// R@K of ranking by what each side `told`.
pub(super) fn best(told: &[Told]) -> Recall {
    let ranks: Vec<usize> = ceiling(told)
        .iter()
        .enumerate()
        .map(|(truth, scores)| rank_of(scores, truth))
        .collect();
    recall(&ranks)
}

fn item(draft: &Draft) -> Item {
    let [video, voice, bgm, _] = files(draft);
    Item {
        id: draft.id.clone(),
        video,
        split: draft.split,
        voice: Some(voice),
        bgm: Some(bgm),
        tags: vec![
            draft.story.scene.word().to_owned(),
            draft.story.middle().word().to_owned(),
        ],
    }
}

/// Video, voice, BGM and card, from the corpus's folder on.
fn files(draft: &Draft) -> [PathBuf; 4] {
    let id = &draft.id;
    [
        PathBuf::from(format!("videos/{id}.{}", draft.extension)),
        PathBuf::from(format!("stems/{id}.voice.wav")),
        PathBuf::from(format!("stems/{id}.bgm.wav")),
        PathBuf::from(format!("cards/{id}.json")),
    ]
}

/// The card is written last.
fn is_made(out: &Path, draft: &Draft) -> bool {
    files(draft).iter().all(|file| out.join(file).exists())
}

fn make(out: &Path, seed: u64, draft: &Draft, monitor: &Monitor) -> Result<()> {
    let lot = |name: &str| stream(seed, &format!("{} {name}", draft.id));
    // What one video is at would only flicker among the others.
    let monitor = &monitor.unseen();
    let Draft { told, duration_s, .. } = draft;
    let voice = speech::narrate(
        &draft.narrator,
        &told.voice,
        draft.split,
        *duration_s,
        &mut lot("narration"),
        monitor,
    )?;
    let score = music::compose(&draft.track, draft.track_s, draft.split, &mut lot("score"));
    let track = music::perform(
        &score,
        draft.player,
        &draft.track,
        &mut lot("performance"),
        monitor,
    )?;
    let bgm = &track[(2 * samples(draft.in_point_s)).min(track.len())..];
    let game = effects::sounds(&told.picture, *duration_s, &mut lot("sounds"));
    let mix = draft.desk.mix(&voice, bgm, &game);

    let [video_file, voice_file, bgm_file, card_file] = files(draft).map(|file| out.join(file));
    stem::write(&voice_file, &voice, 1)?;
    stem::write(&bgm_file, bgm, 2)?;
    let film = Film::new(draft.arena, told.picture.clone(), lot("film"));
    let frames = (*duration_s * f64::from(picture::RATE)).round() as u64;
    encode_video(
        Box::new(Pictures { film, frames }),
        Box::new(Sound(mix)),
        draft.bitrates,
        &video_file,
        monitor,
    )?;
    let card = Card {
        id: &draft.id,
        duration_s: *duration_s,
        in_point_s: draft.in_point_s,
        track_s: draft.track_s,
        speaker: draft.narrator.name(),
        player: draft.player.name(),
        arena: draft.arena.name(),
        bed_db: draft.desk.bed_db,
        sounds_db: draft.desk.sounds_db,
        voice: &told.voice,
        picture: &told.picture,
        bgm: &told.bgm,
    };
    let text = serde_json::to_vec_pretty(&card)
        .map_err(|source| Error::internal("an item's card cannot be written").with_source(source))?;
    atomic_write(&card_file, &text)
}

/// A film on its way to the encoder.
struct Pictures {
    film: Film,
    frames: u64,
}

impl MovingPicture for Pictures {
    fn size(&self) -> (u32, u32) {
        (picture::WIDTH as u32, picture::HEIGHT as u32)
    }

    fn frame_rate(&self) -> u32 {
        picture::RATE
    }

    fn frames(&self) -> u64 {
        self.frames
    }

    fn draw_next(&mut self, rgb: &mut [u8]) {
        self.film.next(rgb);
    }
}

/// A mix on its way to the encoder: interleaved stereo.
struct Sound(Vec<f32>);

impl MixedSound for Sound {
    fn format(&self) -> AudioFormat {
        AudioFormat {
            sample_rate: RATE,
            channels: 2,
        }
    }

    fn frames(&self) -> u64 {
        self.0.len() as u64 / 2
    }

    fn render(&mut self, at: u64, block: &mut [f32]) -> Result<()> {
        let start = 2 * at as usize;
        block.copy_from_slice(&self.0[start..start + block.len()]);
        Ok(())
    }
}
