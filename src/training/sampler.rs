//! What each epoch holds: one cut of every item, its pseudo label, its rendering, and which modality its
//! query goes without (4.2 of the paper; reading, points 1, 8 and 9).
//!
//! Everything is drawn from (seed, epoch) alone, so that a resumed run draws what an uninterrupted one would have.

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Length of a clip, seconds.
pub const CLIP_S: f64 = 32.0;
/// Cuts of a video that start within this many seconds share a pseudo label.
pub const LABEL_S: f64 = 7.0;

/// What the sampler must know of one item.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemShape {
    /// Identity of the video.
    pub video: usize,
    /// Identity of the BGM track.
    pub bgm: usize,
    /// Length of the video, seconds.
    pub duration_s: f64,
    /// The cuts to draw from; at least one.
    pub cuts: Vec<CutShape>,
}

/// What the sampler must know of one cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CutShape {
    /// Start in the video, seconds.
    pub start_s: f64,
    /// Whether there is a picture.
    pub picture: bool,
    /// Renderings of the voice: several where it was mixed with several tracks and separated again; 0 without voice.
    pub voices: usize,
    /// Renderings of the BGM; at least one.
    pub bgms: usize,
}

/// What a query goes without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Absent {
    /// Nothing.
    Nothing,
    /// The voice-over.
    Voice,
    /// The picture.
    Picture,
}

/// One pair of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// Which item.
    pub item: usize,
    /// Which of its cuts.
    pub cut: usize,
    /// Which rendering of the voice; 0 without voice.
    pub voice: usize,
    /// Which rendering of the BGM.
    pub bgm: usize,
    /// The pseudo label.
    pub label: u32,
    /// What the query goes without.
    pub absent: Absent,
}

/// Draws epochs.
#[derive(Debug, Clone)]
pub struct Sampler {
    items: Vec<ItemShape>,
    /// The first label of each item.
    first_label: Vec<u32>,
    labels: usize,
    modality_dropout: f64,
    seed: u64,
}

impl Sampler {
    /// A sampler over `items`.
    pub fn new(items: Vec<ItemShape>, modality_dropout: f64, seed: u64) -> Self {
        // Items of one video share its labels, which reach as far as its longest item.
        let mut slots: Vec<(usize, u32)> = Vec::new();
        for item in &items {
            let own = slot(last_start_s(item.duration_s)) + 1;
            match slots.iter_mut().find(|(video, _)| *video == item.video) {
                Some((_, count)) => *count = own.max(*count),
                None => slots.push((item.video, own)),
            }
        }
        let first = |video: usize| {
            slots
                .iter()
                .take_while(|(other, _)| *other != video)
                .map(|(_, count)| count)
                .sum()
        };
        Self {
            first_label: items.iter().map(|item| first(item.video)).collect(),
            labels: slots.iter().map(|(_, count)| *count as usize).sum(),
            items,
            modality_dropout,
            seed,
        }
    }

    /// The items.
    pub fn items(&self) -> &[ItemShape] {
        &self.items
    }

    /// Number of pseudo labels N.
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// What `epoch` holds: every item once, in an order of its own.
    pub fn epoch(&self, epoch: usize) -> Vec<Draw> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(epoch as u64);
        let mut order: Vec<usize> = (0..self.items.len()).collect();
        order.shuffle(&mut rng);
        order.into_iter().map(|item| self.draw(item, &mut rng)).collect()
    }

    fn draw(&self, index: usize, rng: &mut ChaCha8Rng) -> Draw {
        let item = &self.items[index];
        let cut = rng.random_range(0..item.cuts.len());
        let shape = item.cuts[cut];
        // Drawn in any case, so that what one item holds does not shift what the next ones draw.
        let chance: f64 = rng.random();
        let absent = if shape.voices == 0 {
            Absent::Voice
        } else if !shape.picture {
            Absent::Picture
        } else if chance < self.modality_dropout {
            Absent::Voice
        } else if chance < 2.0 * self.modality_dropout {
            Absent::Picture
        } else {
            Absent::Nothing
        };
        Draw {
            item: index,
            cut,
            voice: rng.random_range(0..shape.voices.max(1)),
            bgm: rng.random_range(0..shape.bgms.max(1)),
            label: self.first_label[index] + slot(shape.start_s),
            absent,
        }
    }
}

/// floor(start / 7 s).
fn slot(start_s: f64) -> u32 {
    (start_s.max(0.0) / LABEL_S) as u32
}

/// The last start of a whole clip in `duration_s`; 0 where the video is shorter and repeats.
fn last_start_s(duration_s: f64) -> f64 {
    (duration_s - CLIP_S).max(0.0)
}

/// How many cuts [`random_cuts`] makes.
pub fn cut_count(duration_s: f64, count: usize) -> usize {
    const APART_S: f64 = 2.0;
    count.clamp(1, 1 + (last_start_s(duration_s) / APART_S) as usize)
}

/// Starts of at most `count` random cuts of a video: one in each of `count` equal parts of the range that starts can
/// lie in. A video that is hardly longer than a clip has fewer, since cuts a second apart teach nothing.
pub fn random_cuts(duration_s: f64, count: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let range_s = last_start_s(duration_s);
    let parts = cut_count(duration_s, count);
    let part_s = range_s / parts as f64;
    (0..parts)
        .map(|part| (part as f64 + rng.random::<f64>()) * part_s)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(video: usize, duration_s: f64, starts: &[f64]) -> ItemShape {
        let cuts = starts
            .iter()
            .map(|&start_s| CutShape {
                start_s,
                picture: true,
                voices: 2,
                bgms: 3,
            })
            .collect();
        ItemShape {
            video,
            bgm: video,
            duration_s,
            cuts,
        }
    }

    #[test]
    fn labels_are_the_video_and_its_seven_seconds() {
        let sampler = Sampler::new(
            vec![
                item(0, 60.0, &[27.9]),
                item(1, 20.0, &[0.0]),
                item(0, 46.1, &[7.0]),
            ],
            0.0,
            0,
        );
        // 60 s: starts up to 28 s, five slots; 20 s: one.
        assert_eq!(sampler.labels(), 6);
        let mut labels = [0; 3];
        for draw in &sampler.epoch(1) {
            labels[draw.item] = draw.label;
        }
        assert_eq!(labels, [3, 5, 1]);
    }

    #[test]
    fn an_epoch_holds_every_item_once_and_repeats_by_seed() {
        let items: Vec<_> = (0..33).map(|video| item(video, 50.0, &[0.0, 9.0])).collect();
        let sampler = Sampler::new(items.clone(), 0.15, 5);
        let epoch = sampler.epoch(3);
        let mut seen: Vec<usize> = epoch.iter().map(|draw| draw.item).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..33).collect::<Vec<_>>());
        assert_eq!(epoch, Sampler::new(items.clone(), 0.15, 5).epoch(3));
        assert_ne!(epoch, sampler.epoch(4));
        assert_ne!(epoch, Sampler::new(items, 0.15, 6).epoch(3));
    }

    #[test]
    fn modalities_go_missing_each_by_its_share_and_never_both() {
        let items: Vec<_> = (0..1000).map(|video| item(video, 20.0, &[0.0])).collect();
        let sampler = Sampler::new(items, 0.15, 1);
        let draws: Vec<Draw> = (1..=10).flat_map(|epoch| sampler.epoch(epoch)).collect();
        let share = |absent: Absent| {
            draws.iter().filter(|draw| draw.absent == absent).count() as f64 / draws.len() as f64
        };
        assert!((share(Absent::Voice) - 0.15).abs() < 0.015);
        assert!((share(Absent::Picture) - 0.15).abs() < 0.015);
    }

    #[test]
    fn what_is_not_there_is_absent_and_the_rest_stays() {
        let mut voiceless = item(0, 20.0, &[0.0]);
        voiceless.cuts[0].voices = 0;
        let mut blind = item(1, 20.0, &[0.0]);
        blind.cuts[0].picture = false;
        let sampler = Sampler::new(vec![voiceless, blind], 0.5, 1);
        for draw in (1..20).flat_map(|epoch| sampler.epoch(epoch)) {
            assert_eq!(draw.absent, [Absent::Voice, Absent::Picture][draw.item]);
        }
    }

    #[test]
    fn cuts_cover_the_video_and_stay_inside() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        assert_eq!(random_cuts(20.0, 4, &mut rng), [0.0]);
        assert_eq!(random_cuts(33.0, 4, &mut rng).len(), 1);
        let cuts = random_cuts(132.0, 4, &mut rng);
        for (part, start_s) in cuts.iter().enumerate() {
            assert!(
                (part as f64 * 25.0..(part + 1) as f64 * 25.0).contains(start_s),
                "{cuts:?}"
            );
        }
    }
}
