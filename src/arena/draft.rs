//! All that is drawn for a video before anything is rendered.

use rand::Rng;

use super::draw::stream;
use super::mixdown::Desk;
use super::music::{Font, Player, fluidsynth_is_installed};
use super::picture::{self, ArenaId};
use super::speech::{Engine, Narrator};
use super::story::{Side, Story, Telling, Told};
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::Monitor;
use crate::media::Bitrates;
use crate::training::corpus::Split;

/// Lengths of videos, seconds: never so short that a clip of 32 s would repeat.
const VIDEO_S: std::ops::Range<f64> = 33.0..60.0;
/// Where in the track the video begins, seconds.
const IN_POINT_S: std::ops::Range<f64> = 2.0..14.0;
/// What of the track there is from the in point on, seconds: more than any video.
const FROM_IN_POINT_S: std::ops::Range<f64> = 61.0..75.0;
/// Of all uploads that are WebM.
const WEBM_SHARE: f64 = 0.2;

/// What of the optional programs and files is installed.
#[derive(Debug, Clone)]
pub(super) struct Tools {
    pub(super) engines: Vec<Engine>,
    pub(super) fonts: Vec<Font>,
}

impl Tools {
    /// Looks; what is missing and can be done without is warned of.
    ///
    /// # Errors
    /// When espeak-ng, whose voices every split needs, is missing.
    pub(super) fn find(monitor: &Monitor) -> Result<Self> {
        let engines: Vec<Engine> = Engine::ALL
            .into_iter()
            .filter(|engine| engine.is_installed())
            .collect();
        if !engines.contains(&Engine::Espeak) {
            return Err(Error::new(
                ErrorKind::Input,
                "corpus generate needs the speech synthesiser espeak-ng, which is not installed; install it with \
                 apt-get install espeak-ng",
            ));
        }
        let mut missing: Vec<&str> = Engine::ALL
            .into_iter()
            .filter(|engine| !engines.contains(engine))
            .map(Engine::packages)
            .collect();
        let mut fonts: Vec<Font> = Font::ALL.into_iter().filter(Font::is_installed).collect();
        missing.extend(
            Font::ALL
                .iter()
                .filter(|font| !font.is_installed())
                .map(Font::package),
        );
        if !fluidsynth_is_installed() {
            missing.push("fluidsynth");
            fonts.clear();
        }
        if !missing.is_empty() {
            monitor.warn(format!(
                "the corpus has fewer voices and timbres, because packages are missing; for the full variety run \
                 apt-get install {}",
                missing.join(" ")
            ));
        }
        Ok(Self { engines, fonts })
    }

    /// What a corpus depends on, in words.
    pub(super) fn names(&self) -> Vec<String> {
        let engines = self.engines.iter().map(|engine| engine.packages().to_owned());
        engines
            .chain(self.fonts.iter().map(|font| font.package().to_owned()))
            .collect()
    }
}

/// A video to be.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) id: String,
    pub(super) split: Split,
    /// Story of the picture, for tags.
    pub(super) story: Story,
    pub(super) told: Told,
    pub(super) duration_s: f64,
    pub(super) in_point_s: f64,
    pub(super) track_s: f64,
    /// The music's telling from the track's start on.
    pub(super) track: Telling,
    pub(super) narrator: Narrator,
    pub(super) player: Player,
    pub(super) arena: ArenaId,
    pub(super) desk: Desk,
    pub(super) bitrates: Bitrates,
    pub(super) extension: &'static str,
}

impl Draft {
    /// Draws the video called `number` of `split`; with `null` each side has a story of its own.
    pub(super) fn new(seed: u64, null: bool, split: Split, number: usize, tools: &Tools) -> Self {
        let id = format!("{}{number:04}", split.word());
        let lot = |name: &str| stream(seed, &format!("{id} {name}"));
        let story_of = |side: Side| {
            let name = if null {
                format!("story of the {}", side.word())
            } else {
                "story".to_owned()
            };
            Story::draw(&mut lot(&name))
        };
        let telling = |side: Side| {
            Telling::of(
                &story_of(side),
                side,
                &mut lot(&format!("telling of the {}", side.word())),
            )
        };
        let told = Told {
            voice: telling(Side::Voice),
            picture: telling(Side::Picture),
            bgm: telling(Side::Bgm),
        };
        let pictures = (lot("length").random_range(VIDEO_S) * f64::from(picture::RATE)).round();
        let mut track_lot = lot("track");
        let in_point_s = track_lot.random_range(IN_POINT_S);
        let track_s = in_point_s + track_lot.random_range(FROM_IN_POINT_S);
        let mut upload = lot("upload");
        Self {
            split,
            story: story_of(Side::Picture),
            duration_s: pictures / f64::from(picture::RATE),
            in_point_s,
            track_s,
            track: told.bgm.clone().within_a_longer_one(in_point_s, &mut track_lot),
            told,
            narrator: Narrator::draw(split, &tools.engines, &mut lot("narrator")),
            player: Player::draw(split, &tools.fonts, &mut lot("player")),
            arena: ArenaId::draw(split, &mut lot("arena")),
            desk: Desk::draw(&mut lot("desk")),
            bitrates: Bitrates {
                picture: upload.random_range(250_000..600_000),
                sound: 1000 * upload.random_range(64..193),
            },
            extension: if upload.random_bool(WEBM_SHARE) {
                "webm"
            } else {
                "mp4"
            },
            id,
        }
    }
}
