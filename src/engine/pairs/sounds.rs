//! What is heard in a cut: the sounds of the item and of others, exchanged so that the voice does not betray the music.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::engine::clips::{Bed, Clips, Keep, Mix, Window};
use crate::engine::corpus::{MediaFile, Usable};
use crate::error::Result;
use crate::jobs::Monitor;
use crate::training::Cut;
use crate::training::sampler::CLIP_S;

/// How much louder or quieter than it is a clean track may be heard, dB.
const LEVEL_DB: f32 = 6.0;

/// The stems of an item that training can take in place of those of its mix.
#[derive(Clone, Copy)]
pub(super) struct Clean<'a> {
    /// Where another track is at hand to lie under it.
    pub(super) voice: Option<&'a MediaFile>,
    /// What lies under the cut.
    pub(super) bgm: Option<Window<'a>>,
}

/// Renderings of a cut's sounds.
#[derive(Clone, Copy)]
pub(super) struct Levels {
    count: usize,
    /// Whether a clean track is heard at its own level in the first.
    first_as_it_is: bool,
}

impl Levels {
    pub(super) fn from_as_it_is(count: usize) -> Self {
        Self {
            count,
            first_as_it_is: true,
        }
    }

    pub(super) fn drawn(count: usize) -> Self {
        Self {
            count,
            first_as_it_is: false,
        }
    }
}

/// Adds sounds to cuts.
pub(super) struct Sounds<'a> {
    pub(super) clips: &'a Clips<'a>,
    /// Whether nobody listens to voices.
    pub(super) visual_only: bool,
}

impl Sounds<'_> {
    /// Both stems of the mix of `video`.
    pub(super) fn separate<P, S: Keep>(
        &self,
        cut: &mut Cut<P, S>,
        video: &MediaFile,
        monitor: &Monitor,
    ) -> Result<()> {
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
    pub(super) fn swap<P, S: Keep>(
        &self,
        cut: &mut Cut<P, S>,
        video: &MediaFile,
        clean: Clean<'_>,
        (partners, levels): (&[&Usable], Levels),
        rng: &mut ChaCha8Rng,
        monitor: &Monitor,
    ) -> Result<()> {
        let at = |file| Window {
            file,
            start_s: cut.start_s,
        };
        for rendering in 0..levels.count {
            match clean.voice {
                Some(voice) => {
                    let partner = partners[rng.random_range(0..partners.len())];
                    let bed = Bed::drawn(partner, rng);
                    let mix = Mix::drawn(rng);
                    if !self.visual_only {
                        let heard = self.clips.remixed_voice(at(voice), &bed, &mix, monitor)?;
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
                let gain_db = if levels.first_as_it_is && rendering == 0 {
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

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn candidate_windows_lie_apart_where_the_video_allows() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
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
