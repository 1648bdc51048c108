//! The cuts of one item: which windows, with whose music, and how they are made.

use std::rc::Rc;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::sounds::{Clean, Levels, Sounds};
use super::{Pairing, Source, Understood, understood};
use crate::engine::clips::{Clips, Keep, Picture, Window, seen_beside};
use crate::engine::corpus::{Inspected, Usable};
use crate::engine::recognise::Recogniser;
use crate::error::{Error, Result};
use crate::jobs::Monitor;
use crate::training::Cut;
use crate::training::corpus::Split;
use crate::training::sampler::random_cuts;

/// How an item's pairs were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Swapped,
    Masked,
    Paper,
}

/// The cuts of an item.
pub(super) struct Made<P, S> {
    pub(super) cuts: Vec<Cut<P, S>>,
    pub(super) way: Way,
    /// sha256 of the library's track that was recognised.
    pub(super) track: Option<String>,
    pub(super) understood: Understood,
}

/// One cut of an item.
struct OneCut<P, S> {
    cut: Cut<P, S>,
    way: Way,
    /// sha256 of the library's track that was recognised.
    track: Option<String>,
}

/// Makes the cuts of items.
#[derive(Clone)]
pub(in crate::engine) struct Maker<'a> {
    clips: &'a Clips<'a>,
    /// `None` where no item needs it, or there is no library.
    recogniser: Option<Rc<Recogniser<'a>>>,
    /// Training items whose music may lie under another's voice: their clean tracks are known, and so no two are mistaken
    /// for each other.
    tracks: Vec<&'a Usable>,
    how: Pairing,
}

impl<'a> Maker<'a> {
    /// # Errors
    /// When the library cannot be read; cancelled.
    pub(in crate::engine) fn new(
        clips: &'a Clips<'a>,
        corpus: &'a Inspected,
        how: Pairing,
        monitor: &Monitor,
    ) -> Result<Self> {
        let train = || corpus.split(Split::Train);
        let recogniser = if how.leak_free && train().any(|item| item.bgm.is_none()) {
            Recogniser::new(clips.engine(), monitor)?.map(Rc::new)
        } else {
            None
        };
        Ok(Self {
            clips,
            recogniser,
            tracks: train().filter(|item| item.bgm.is_some()).collect(),
            how,
        })
    }

    /// The same, with other features at hand.
    pub(super) fn with<'b>(&self, clips: &'b Clips<'b>) -> Maker<'b>
    where
        'a: 'b,
    {
        Maker {
            clips,
            ..self.clone()
        }
    }

    pub(super) fn clips(&self) -> &'a Clips<'a> {
        self.clips
    }

    pub(super) fn how(&self) -> Pairing {
        self.how
    }

    /// The cuts that an item brings into a run.
    pub(super) fn example<P: Picture, S: Keep>(
        &self,
        item: &Usable,
        monitor: &Monitor,
    ) -> Result<Made<P, S>> {
        self.require_picture(item)?;
        let mut rng = rng_of(self.how.seed, &item.video.sha256);
        let (mut cuts, mut track) = (Vec::new(), None);
        let mut way = self.way();
        for start_s in random_cuts(item.video.duration_s, self.how.cuts, &mut rng) {
            monitor.check()?;
            let levels = Levels::from_as_it_is(self.how.renderings);
            if let Some(made) = self.cut(item, start_s, levels, &mut rng, monitor)? {
                if made.way == Way::Masked {
                    way = Way::Masked;
                }
                track = track.or(made.track);
                cuts.push(made.cut);
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
        let voice_from = from(swapped && item.voice.is_some() && !self.partners(item).is_empty());
        let understood = understood(item, &cuts, (voice_from, music_from));
        Ok(Made {
            cuts,
            way,
            track,
            understood,
        })
    }

    /// Another cut of an item that was made `way` before, drawn by `draw`: anywhere in the video, heard at other levels
    /// against other music. `None` where there is nothing to learn in it, or it cannot be made in that way.
    pub(super) fn another<P: Picture, S: Keep>(
        &self,
        item: &Usable,
        way: Way,
        draw: usize,
        monitor: &Monitor,
    ) -> Result<Option<Cut<P, S>>> {
        let mut rng = rng_of(self.how.seed, &format!("{draw} {}", item.video.sha256));
        let start_s = random_cuts(item.video.duration_s, 1, &mut rng)[0];
        let made = self.cut(item, start_s, Levels::drawn(1), &mut rng, monitor)?;
        Ok(made.filter(|made| made.way == way).map(|made| made.cut))
    }

    /// How pairs are made where the corpus allows.
    fn way(&self) -> Way {
        if self.how.leak_free {
            Way::Swapped
        } else {
            Way::Paper
        }
    }

    fn sounds(&self) -> Sounds<'a> {
        Sounds {
            clips: self.clips,
            visual_only: self.how.visual_only,
        }
    }

    /// Whose music may lie under the voice of `item`: another video's, with another track.
    fn partners(&self, item: &Usable) -> Vec<&'a Usable> {
        let differs = |other: &&Usable| {
            other.video.sha256 != item.video.sha256 && other.bgm_identity() != item.bgm_identity()
        };
        self.tracks.iter().copied().filter(differs).collect()
    }

    /// The cut at `start_s`; `None` where it has no music, or neither voice nor picture.
    fn cut<P: Picture, S: Keep>(
        &self,
        item: &Usable,
        start_s: f64,
        levels: Levels,
        rng: &mut ChaCha8Rng,
        monitor: &Monitor,
    ) -> Result<Option<OneCut<P, S>>> {
        let mut cut = Cut {
            start_s,
            picture: None,
            voices: Vec::new(),
            bgms: Vec::new(),
        };
        let window = Window {
            file: &item.video,
            start_s,
        };
        let seen = item.picture.then_some(window);
        let (picture, (way, track)) = seen_beside(self.clips, seen, monitor, || {
            self.hear(&mut cut, item, levels, rng, monitor)
        })?;
        cut.picture = picture;
        let asks = cut.picture.is_some() || !cut.voices.is_empty();
        Ok((asks && !cut.bgms.is_empty()).then_some(OneCut { cut, way, track }))
    }

    /// Adds the sounds of a cut; how they were made, and the sha256 of the library's track that was recognised.
    fn hear<P: Picture, S: Keep>(
        &self,
        cut: &mut Cut<P, S>,
        item: &Usable,
        levels: Levels,
        rng: &mut ChaCha8Rng,
        monitor: &Monitor,
    ) -> Result<(Way, Option<String>)> {
        let start_s = cut.start_s;
        let window = Window {
            file: &item.video,
            start_s,
        };
        let (mut way, mut track) = (self.way(), None);
        if way == Way::Paper {
            self.sounds().separate(cut, &item.video, monitor)?;
        } else {
            let partners = self.partners(item);
            let recognised = match (&item.bgm, &self.recogniser) {
                (None, Some(recogniser)) => recogniser.find(self.clips, window, monitor)?,
                _ => None,
            };
            let bgm = item.bgm.as_ref().map(|file| Window { file, start_s });
            let bgm = bgm.or(recognised.as_ref().map(|found| Window {
                file: &found.file,
                start_s: found.start_s,
            }));
            let voice = item.voice.as_ref().filter(|_| !partners.is_empty());
            if voice.is_none() || bgm.is_none() {
                way = Way::Masked;
            }
            let clean = Clean { voice, bgm };
            self.sounds()
                .swap(cut, &item.video, clean, (&partners, levels), rng, monitor)?;
            track = recognised.map(|found| found.file.sha256.clone());
        }
        Ok((way, track))
    }

    /// The first 32 s of an item that is held out, both stems from its mix.
    pub(super) fn first_clip<P: Picture, S: Keep>(
        &self,
        item: &Usable,
        monitor: &Monitor,
    ) -> Result<Cut<P, S>> {
        self.require_picture(item)?;
        let mut cut = Cut {
            start_s: 0.0,
            picture: None,
            voices: Vec::new(),
            bgms: Vec::new(),
        };
        let seen = item.picture.then_some(Window {
            file: &item.video,
            start_s: 0.0,
        });
        let (picture, ()) = seen_beside(self.clips, seen, monitor, || {
            self.sounds().separate(&mut cut, &item.video, monitor)
        })?;
        cut.picture = picture;
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
    use crate::device::DeviceChoice;
    use crate::engine::clips::{Bed, Listening};
    use crate::engine::corpus::{MediaFile, media_file};
    use crate::engine::{Engine, EngineOptions};
    use crate::media::{AudioFormat, WavWriter};
    use crate::settings::Folders;

    /// Reading, point 7: A and B differ in video and track.
    #[test]
    fn nothing_of_a_candidate_lies_under_its_query() -> Result<()> {
        let home = tempfile::tempdir().expect("temporary folder");
        let engine = Engine::open(EngineOptions {
            device: DeviceChoice::Cpu,
            pack: "compact".to_owned(),
            library: None,
            folders: Folders::under(home.path()),
        })?;
        let silent = Monitor::silent();
        let file = |name: &str, level: f32| -> Result<MediaFile> {
            let path = home.path().join(name);
            let mut file = WavWriter::create(&path, AudioFormat::VGGISH)?;
            file.write(&vec![level; 16_000])?;
            file.finish()?;
            media_file(&path, 1.0, &silent)
        };
        let item = |id: &str, level: f32, bgm: Option<MediaFile>| -> Result<Usable> {
            Ok(Usable {
                id: id.to_owned(),
                split: Split::Train,
                tags: Vec::new(),
                video: file(&format!("{id}.wav"), level)?,
                picture: false,
                voice: None,
                bgm,
                remark: None,
            })
        };
        let (one, other) = (file("one.wav", 0.5)?, file("other.wav", 0.6)?);
        let corpus = Inspected {
            name: "small".to_owned(),
            items: vec![
                item("a", 0.1, Some(one.clone()))?,
                item("a again", 0.1, Some(other.clone()))?,
                item("b, of the same track", 0.2, Some(one))?,
                item("c", 0.3, Some(other))?,
                item("d, whose track is unknown", 0.4, None)?,
            ],
            rejected: Vec::new(),
        };
        let clips = Clips::new(&engine, Listening::Rows)?;
        let how = Pairing {
            leak_free: true,
            cuts: 1,
            renderings: 1,
            seed: 0,
            visual_only: false,
        };
        let maker = Maker::new(&clips, &corpus, how, &silent)?;
        let under = |item: usize| -> Vec<&str> {
            let partners = maker.partners(&corpus.items[item]);
            partners.iter().map(|partner| partner.id.as_str()).collect()
        };
        assert_eq!(under(0), ["c"]);
        assert_eq!(under(3), ["a", "b, of the same track"]);
        assert_eq!(under(4).len(), 4);
        let mut rng = rng_of(1, "beds");
        for _ in 0..20 {
            let bed = Bed::drawn(&corpus.items[3], &mut rng);
            let (Bed::Track(window) | Bed::Stem(window)) = bed;
            let name = window.file.path.file_name().expect("a name");
            assert_eq!(name == "other.wav", matches!(bed, Bed::Track(_)));
            assert!(name == "other.wav" || name == "c.wav", "{name:?}");
        }
        Ok(())
    }
}
