//! The pairs that training learns from: cached features of random cuts, paired so that the separated voice does not
//! betray the music it was cut from (reading, point 7).
//!
//! - *Swapped*, where the corpus has an item's clean voice and clean track: the query's voice is separated from a mix of that voice with
//!   another video's track; the candidate is the clean, un-ducked track. Nothing of the candidate was ever in the
//!   query's sound. Levels and ducking are drawn by lot; the sounds of the game and the codec are not renewed, because
//!   the corpus does not have them apart.
//! - *Masked*, where there is only the mix: query and candidate windows lie a clip apart where the video is long enough, and random gains run over
//!   both stems. That hides the trace and does not remove it, so it is never called leak-free.
//! - *Paper*, where swapping is off: both stems of one window of one mix.
//!
//! The paper and the reading draw anew in every epoch. Features of a new draw need separation, SlowFast and VGGish again, so
//! here a few draws of each item are made once, and each epoch chooses among them.

use std::collections::HashMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::clips::{Clips, Keep, Mix, Picture, Window};
use super::corpus::{Inspected, MediaFile, Usable};
use crate::error::{Error, Result};
use crate::jobs::Monitor;
use crate::training::corpus::Split;
use crate::training::sampler::{CLIP_S, random_cuts};
use crate::training::{Cut, Example};

/// Renderings of a sound that are drawn by lot: mixes of a voice, levels of a track, windows of a stem.
const RENDERINGS: usize = 2;
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
    /// Items passed over, and why.
    pub(super) rejected: Vec<(String, String)>,
}

/// How pairs are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pairing {
    /// Both sides swapped where the corpus allows.
    pub(super) leak_free: bool,
    /// Windows kept of each longer video.
    pub(super) cuts: usize,
    pub(super) seed: u64,
    /// The picture alone asks: an item without one is passed over, and voices are not needed.
    pub(super) visual_only: bool,
}

/// Makes or reads the features of all training and validation items. An item that fails is passed over.
pub(super) fn pairs<P: Picture, S: Keep>(
    clips: &Clips<'_>,
    corpus: &Inspected,
    how: Pairing,
    monitor: &Monitor,
) -> Result<Pairs<P, S>> {
    let train: Vec<&Usable> = corpus.split(Split::Train).collect();
    let validation: Vec<&Usable> = corpus.split(Split::Val).collect();
    let maker = Maker {
        clips,
        tracks: train.iter().copied().filter(|item| item.bgm.is_some()).collect(),
        how,
    };
    let mut names = Identities::default();
    let mut pairs = Pairs {
        examples: Vec::new(),
        tags: Vec::new(),
        validation: Vec::new(),
        pairing: "paper",
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
            maker.example(item, &quiet).map(|(cuts, way)| {
                match way {
                    Way::Swapped => swapped += 1,
                    Way::Masked => masked += 1,
                    Way::Paper => {}
                }
                pairs.tags.push(item.tags.clone());
                pairs.examples.push(Example {
                    video: names.of(&item.video.sha256),
                    bgm: names.of(item.bgm_identity()),
                    duration_s: item.video.duration_s,
                    cuts,
                });
            })
        } else {
            maker
                .first_clip(item, &quiet)
                .map(|cut| pairs.validation.push(cut))
        };
        match made {
            Ok(()) => {}
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

struct Maker<'a> {
    clips: &'a Clips<'a>,
    /// Training items whose clean track may lie under another's voice.
    tracks: Vec<&'a Usable>,
    how: Pairing,
}

impl Maker<'_> {
    fn example<P: Picture, S: Keep>(
        &self,
        item: &Usable,
        monitor: &Monitor,
    ) -> Result<(Vec<Cut<P, S>>, Way)> {
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
        let way = match (&item.voice, &item.bgm) {
            _ if !self.how.leak_free => Way::Paper,
            (Some(_), Some(_)) if !partners.is_empty() => Way::Swapped,
            _ => Way::Masked,
        };
        let mut cuts = Vec::new();
        for start_s in random_cuts(item.video.duration_s, self.how.cuts, &mut rng) {
            monitor.check()?;
            let mut cut = Cut {
                start_s,
                picture: None,
                voices: Vec::new(),
                bgms: Vec::new(),
            };
            match (way, &item.voice, &item.bgm) {
                (Way::Swapped, Some(voice), Some(bgm)) => {
                    self.swap(&mut cut, voice, bgm, &partners, &mut rng, monitor)?;
                }
                (Way::Masked, ..) => self.mask(&mut cut, &item.video, &mut rng, monitor)?,
                _ => self.separate(&mut cut, &item.video, monitor)?,
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
        Ok((cuts, way))
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

    fn swap<P, S: Keep>(
        &self,
        cut: &mut Cut<P, S>,
        voice: &MediaFile,
        bgm: &MediaFile,
        partners: &[&MediaFile],
        rng: &mut ChaCha8Rng,
        monitor: &Monitor,
    ) -> Result<()> {
        let at = |file| Window {
            file,
            start_s: cut.start_s,
        };
        for rendering in 0..RENDERINGS {
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
            // The first is the track as it is.
            let gain_db = if rendering == 0 {
                0.0
            } else {
                rng.random_range(-LEVEL_DB..LEVEL_DB)
            };
            cut.bgms
                .extend(self.clips.plain(at(bgm), gain_db, &self.clips.bgm, monitor)?);
        }
        Ok(())
    }

    fn mask<P, S: Keep>(
        &self,
        cut: &mut Cut<P, S>,
        video: &MediaFile,
        rng: &mut ChaCha8Rng,
        monitor: &Monitor,
    ) -> Result<()> {
        let query = Window {
            file: video,
            start_s: cut.start_s,
        };
        cut.voices
            .extend(self.clips.separated(query, Some(rng.random()), monitor)?.voice);
        for _ in 0..RENDERINGS {
            let candidate = Window {
                file: video,
                start_s: start_apart(cut.start_s, video.duration_s, rng),
            };
            cut.bgms
                .extend(self.clips.separated(candidate, Some(rng.random()), monitor)?.bgm);
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
