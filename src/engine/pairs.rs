//! The pairs that training learns from: cached features of random cuts, paired so that the separated voice does not
//! betray the music it was cut from (reading, point 7).
//!
//! - *Swapped*, where the corpus has an item's clean voice and clean track: the query's voice is separated from a mix of that voice with
//!   another video's track; the candidate is the clean, un-ducked track. Nothing of the candidate was ever in the
//!   query's sound. Levels and ducking are drawn by lot; the sounds of the game and the codec are not renewed, because
//!   the corpus does not have them apart.
//! - *Masked*, where there is only the mix: query and candidate windows lie a clip apart where the video is long enough, and random gains run over
//!   both stems. That hides the trace and does not remove it, so it is never called leak-free. Where one of the two clean
//!   stems is there, its side is made of it, and the pair is called masked all the same. Music that is recognised as a track
//!   of the library counts as its clean track.
//! - *Paper*, where swapping is off: both stems of one window of one mix.
//!
//! The paper and the reading draw anew in every epoch. Features of a new draw need separation and VGGish again, and of a new
//! cut SlowFast too. So a few draws of each item are made once and each epoch chooses among them, unless the run is asked to
//! draw the sounds anew every so many epochs; cuts stay.

use std::collections::HashMap;
use std::rc::Rc;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::clips::{Clips, Keep, Mix, Picture, Window};
use super::corpus::{Inspected, MediaFile, Usable};
use super::recognise::Recogniser;
use crate::error::{Error, Result};
use crate::jobs::Monitor;
use crate::training::corpus::Split;
use crate::training::sampler::{CLIP_S, random_cuts};
use crate::training::{Cut, Example};

/// How much louder or quieter than it is a clean track may be heard, dB.
const LEVEL_DB: f32 = 6.0;

/// What training learns from, and what it watches: of pictures `P`, of sounds `S`.
pub(super) struct Pairs<P, S> {
    pub(super) examples: Vec<Example<P, S>>,
    /// The tags of each example.
    pub(super) tags: Vec<Vec<String>>,
    /// The first 32 s of each validation item, both stems from its mix as in the protocol `separated`.
    pub(super) validation: Vec<Cut<P, S>>,
    /// "leak-free", "masked" or "paper".
    pub(super) pairing: &'static str,
    /// Items whose music is a track of the library.
    pub(super) recognised: usize,
    /// Items passed over, and why.
    pub(super) rejected: Vec<(String, String)>,
}

/// What was understood of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Understood {
    /// Its id.
    pub id: String,
    /// Whether it is held out to watch the recall, or learnt from.
    pub held_out: bool,
    /// Cuts of 32 s with music.
    pub cuts: usize,
    /// Those of them in which a voice-over is heard.
    pub voices: usize,
    /// Whether there is a picture.
    pub picture: bool,
    /// Where the voice comes from.
    pub voice_from: Source,
    /// Where the music comes from.
    pub music_from: Source,
}

/// Where a stem comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The mix, by separation.
    Separated,
    /// The corpus, which has it clean.
    Clean,
    /// The library, which has the track that was recognised.
    Library,
}

/// How pairs are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pairing {
    /// Both sides swapped where the corpus allows.
    pub(super) leak_free: bool,
    /// Windows kept of each longer video.
    pub(super) cuts: usize,
    /// Draws of each cut's sounds: mixes of a voice, levels of a track, windows of a stem.
    pub(super) renderings: usize,
    /// Counts the draws of one run. A later one draws sounds alone, and of the first one's cuts no more than `taken`.
    pub(super) draw: usize,
    pub(super) taken: usize,
    pub(super) seed: u64,
    /// The picture alone asks: an item without one is passed over, and voices are not needed.
    pub(super) visual_only: bool,
}

/// Makes or reads the features of all training and validation items. An item that fails is passed over. `on_item` sees each
/// once it is there.
pub(super) fn pairs<'a, P: Picture, S: Keep>(
    clips: &'a Clips<'a>,
    corpus: &'a Inspected,
    how: Pairing,
    on_item: &dyn Fn(Understood),
    monitor: &Monitor,
) -> Result<Pairs<P, S>> {
    let train: Vec<&Usable> = corpus.split(Split::Train).collect();
    let validation: Vec<&Usable> = corpus.split(Split::Val).collect();
    let recogniser = if how.leak_free && train.iter().any(|item| item.bgm.is_none()) {
        Recogniser::new(clips.engine(), monitor)?.map(Rc::new)
    } else {
        None
    };
    let maker = Maker {
        clips,
        recogniser,
        tracks: train.iter().copied().filter(|item| item.bgm.is_some()).collect(),
        how,
    };
    let mut names = Identities::default();
    let mut pairs = Pairs {
        examples: Vec::new(),
        tags: Vec::new(),
        validation: Vec::new(),
        pairing: "paper",
        recognised: 0,
        rejected: Vec::new(),
    };
    let (mut swapped, mut masked) = (0, 0);
    let count = train.len() + validation.len();
    for (number, &item) in train.iter().chain(&validation).enumerate() {
        monitor.check()?;
        let part = monitor.part(number as f32 / count as f32, (number + 1) as f32 / count as f32);
        part.progress(&format!("Understanding {}", item.id), Some(0.0));
        let quiet = Monitor::new(part.cancel_token().clone(), |_| {});
        let made = if item.split == Split::Train {
            maker.example_of_draw(item, &quiet).map(|made| {
                match made.way {
                    Way::Swapped => swapped += 1,
                    Way::Masked => masked += 1,
                    Way::Paper => {}
                }
                pairs.tags.push(item.tags.clone());
                pairs.recognised += usize::from(made.track.is_some());
                pairs.examples.push(Example {
                    video: names.of(&item.video.sha256),
                    bgm: names.of(made.track.as_deref().unwrap_or(item.bgm_identity())),
                    duration_s: item.video.duration_s,
                    cuts: made.cuts,
                });
                made.understood
            })
        } else {
            maker.first_clip(item, &quiet).map(|cut| {
                let separated = (Source::Separated, Source::Separated);
                let understood = understood(item, std::slice::from_ref(&cut), separated);
                pairs.validation.push(cut);
                understood
            })
        };
        match made {
            Ok(understood) => on_item(understood),
            Err(error) if error.is_cancelled() => return Err(error),
            Err(error) => pairs.rejected.push((item.id.clone(), error.to_string())),
        }
    }
    if masked > 0 {
        pairs.pairing = "masked";
    } else if swapped > 0 {
        pairs.pairing = "leak-free";
    }
    Ok(pairs)
}

/// Numbers for names.
#[derive(Default)]
struct Identities(HashMap<String, usize>);

impl Identities {
    fn of(&mut self, name: &str) -> usize {
        let next = self.0.len();
        *self.0.entry(name.to_owned()).or_insert(next)
    }
}

/// How an item's pairs were made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Swapped,
    Masked,
    Paper,
}

/// The stems of an item that training can take in place of those of its mix.
#[derive(Clone, Copy)]
struct Clean<'a> {
    /// Where another track is at hand to lie under it.
    voice: Option<&'a MediaFile>,
    /// What lies under the cut.
    bgm: Option<Window<'a>>,
}

/// The cuts of an item.
struct Made<P, S> {
    cuts: Vec<Cut<P, S>>,
    way: Way,
    /// sha256 of the library's track that was recognised.
    track: Option<String>,
    understood: Understood,
}

#[derive(Clone)]
struct Maker<'a> {
    clips: &'a Clips<'a>,
    /// `None` where no item needs it, or there is no library.
    recogniser: Option<Rc<Recogniser<'a>>>,
    /// Training items whose clean track may lie under another's voice.
    tracks: Vec<&'a Usable>,
    how: Pairing,
}

impl Maker<'_> {
    /// An item of which a later draw leaves nothing stays as it was, so that no other takes its place.
    fn example_of_draw<P: Picture, S: Keep>(&self, item: &Usable, monitor: &Monitor) -> Result<Made<P, S>> {
        match self.example(item, monitor) {
            Err(error) if self.how.draw > 0 && !error.is_cancelled() => Maker {
                how: Pairing {
                    draw: 0,
                    taken: usize::MAX,
                    ..self.how
                },
                ..self.clone()
            }
            .example(item, monitor),
            made => made,
        }
    }

    fn example<P: Picture, S: Keep>(&self, item: &Usable, monitor: &Monitor) -> Result<Made<P, S>> {
        self.require_picture(item)?;
        let mut rng = rng_of(self.how.seed, &item.video.sha256);
        let partners: Vec<&MediaFile> = self
            .tracks
            .iter()
            .filter(|other| {
                other.video.sha256 != item.video.sha256 && other.bgm_identity() != item.bgm_identity()
            })
            .filter_map(|other| other.bgm.as_ref())
            .collect();
        let voice = item.voice.as_ref().filter(|_| !partners.is_empty());
        let mut track = None;
        let mut way = if self.how.leak_free {
            Way::Swapped
        } else {
            Way::Paper
        };
        let mut cuts = Vec::new();
        let mut starts = random_cuts(item.video.duration_s, self.how.cuts, &mut rng);
        if self.how.draw > 0 {
            rng = rng_of(self.how.seed, &format!("{} {}", self.how.draw, item.video.sha256));
            starts.shuffle(&mut rng);
            starts.truncate(self.how.taken);
        }
        for start_s in starts {
            monitor.check()?;
            let mut cut = Cut {
                start_s,
                picture: None,
                voices: Vec::new(),
                bgms: Vec::new(),
            };
            if way == Way::Paper {
                self.separate(&mut cut, &item.video, monitor)?;
            } else {
                let window = Window {
                    file: &item.video,
                    start_s,
                };
                let recognised = match (&item.bgm, &self.recogniser) {
                    (None, Some(recogniser)) => recogniser.find(self.clips, window, monitor)?,
                    _ => None,
                };
                let bgm = item.bgm.as_ref().map(|file| Window { file, start_s });
                let bgm = bgm.or(recognised.as_ref().map(|found| Window {
                    file: &found.file,
                    start_s: found.start_s,
                }));
                if voice.is_none() || bgm.is_none() {
                    way = Way::Masked;
                }
                let clean = Clean { voice, bgm };
                self.swap(&mut cut, &item.video, clean, &partners, &mut rng, monitor)?;
                track = track.or(recognised.map(|found| found.file.sha256.clone()));
            }
            if cut.bgms.is_empty() {
                continue;
            }
            if item.picture {
                let window = Window {
                    file: &item.video,
                    start_s,
                };
                cut.picture = Some(P::of(self.clips, window, monitor)?);
            }
            if cut.picture.is_some() || !cut.voices.is_empty() {
                cuts.push(cut);
            }
        }
        if cuts.is_empty() {
            return Err(nothing_left(item));
        }
        let from = |clean: bool| if clean { Source::Clean } else { Source::Separated };
        let swapped = way != Way::Paper;
        let music_from = if track.is_some() {
            Source::Library
        } else {
            from(swapped && item.bgm.is_some())
        };
        let understood = understood(item, &cuts, (from(swapped && voice.is_some()), music_from));
        Ok(Made {
            cuts,
            way,
            track,
            understood,
        })
    }

    fn first_clip<P: Picture, S: Keep>(&self, item: &Usable, monitor: &Monitor) -> Result<Cut<P, S>> {
        self.require_picture(item)?;
        let mut cut = Cut {
            start_s: 0.0,
            picture: None,
            voices: Vec::new(),
            bgms: Vec::new(),
        };
        self.separate(&mut cut, &item.video, monitor)?;
        if item.picture {
            let window = Window {
                file: &item.video,
                start_s: 0.0,
            };
            cut.picture = Some(P::of(self.clips, window, monitor)?);
        }
        if cut.bgms.is_empty() || (cut.voices.is_empty() && cut.picture.is_none()) {
            return Err(nothing_left(item));
        }
        Ok(cut)
    }

    fn require_picture(&self, item: &Usable) -> Result<()> {
        if item.picture || !self.how.visual_only {
            return Ok(());
        }
        Err(Error::input(
            &item.video.path,
            "has no picture, and this method asks with the picture alone; give a video",
        ))
    }

    fn separate<P, S: Keep>(&self, cut: &mut Cut<P, S>, video: &MediaFile, monitor: &Monitor) -> Result<()> {
        let window = Window {
            file: video,
            start_s: cut.start_s,
        };
        let stems = self.clips.separated(window, None, monitor)?;
        cut.voices.extend(stems.voice);
        cut.bgms.extend(stems.bgm);
        Ok(())
    }

    /// Each side from its clean stem where there is one, else masked.
    fn swap<P, S: Keep>(
        &self,
        cut: &mut Cut<P, S>,
        video: &MediaFile,
        clean: Clean<'_>,
        partners: &[&MediaFile],
        rng: &mut ChaCha8Rng,
        monitor: &Monitor,
    ) -> Result<()> {
        let at = |file| Window {
            file,
            start_s: cut.start_s,
        };
        for rendering in 0..self.how.renderings.min(self.how.taken) {
            match clean.voice {
                Some(voice) => {
                    let partner = partners[rng.random_range(0..partners.len())];
                    let under = Window {
                        file: partner,
                        start_s: rng.random::<f64>() * (partner.duration_s - CLIP_S).max(0.0),
                    };
                    let mix = Mix::drawn(rng);
                    if !self.how.visual_only {
                        let heard = self.clips.remixed_voice(at(voice), under, &mix, monitor)?;
                        cut.voices.extend(heard);
                    }
                }
                None if rendering == 0 => {
                    let masked = self.clips.separated(at(video), Some(rng.random()), monitor)?;
                    cut.voices.extend(masked.voice);
                }
                None => {}
            }
            let heard = if let Some(bgm) = clean.bgm {
                // Where the voice has a trace of this very music, it is of another part of it.
                let start_s = match clean.voice {
                    Some(_) => bgm.start_s,
                    None => start_apart(bgm.start_s, bgm.file.duration_s, rng),
                };
                // The first is the track as it is.
                let gain_db = if rendering == 0 {
                    0.0
                } else {
                    rng.random_range(-LEVEL_DB..LEVEL_DB)
                };
                let window = Window { start_s, ..bgm };
                self.clips.plain(window, gain_db, &self.clips.bgm, monitor)?
            } else {
                let window = Window {
                    file: video,
                    start_s: start_apart(cut.start_s, video.duration_s, rng),
                };
                self.clips.separated(window, Some(rng.random()), monitor)?.bgm
            };
            cut.bgms.extend(heard);
        }
        Ok(())
    }
}

/// Start of a clip that shares nothing with the one at `start_s`, by lot; where the video is too short, the start
/// farthest away.
fn start_apart(start_s: f64, duration_s: f64, rng: &mut ChaCha8Rng) -> f64 {
    let last_s = (duration_s - CLIP_S).max(0.0);
    let before_s = (start_s - CLIP_S).max(0.0);
    let after_s = (last_s - start_s - CLIP_S).max(0.0);
    if before_s + after_s > 0.0 {
        let drawn_s = rng.random::<f64>() * (before_s + after_s);
        return if drawn_s < before_s {
            drawn_s
        } else {
            start_s + CLIP_S + (drawn_s - before_s)
        };
    }
    if start_s > last_s / 2.0 { 0.0 } else { last_s }
}

/// Draws for one item that do not depend on the others.
fn rng_of(seed: u64, name: &str) -> ChaCha8Rng {
    let digest = Sha256::digest(format!("{seed} {name}"));
    ChaCha8Rng::from_seed(digest.into())
}

fn understood<P, S>(item: &Usable, cuts: &[Cut<P, S>], from: (Source, Source)) -> Understood {
    Understood {
        id: item.id.clone(),
        held_out: item.split == Split::Val,
        cuts: cuts.len(),
        voices: cuts.iter().filter(|cut| !cut.voices.is_empty()).count(),
        picture: item.picture,
        voice_from: from.0,
        music_from: from.1,
    }
}

fn nothing_left(item: &Usable) -> Error {
    Error::input(
        &item.video.path,
        "separation leaves no music to learn, or neither voice nor picture to learn it from; give a video with both",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidate_windows_lie_apart_where_the_video_allows() {
        let mut rng = rng_of(1, "a");
        for _ in 0..100 {
            let start_s = rng.random_range(0.0..88.0);
            let apart_s = start_apart(start_s, 120.0, &mut rng);
            assert!((0.0..=88.0).contains(&apart_s));
            assert!((apart_s - start_s).abs() >= CLIP_S - 1e-9, "{start_s} {apart_s}");
        }
        assert_eq!(start_apart(3.0, 50.0, &mut rng), 18.0);
        assert_eq!(start_apart(12.0, 50.0, &mut rng), 0.0);
        assert_eq!(start_apart(0.0, 20.0, &mut rng), 0.0);
    }
}
