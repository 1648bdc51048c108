//! What a video tells: a path through the plane of valence and arousal (Russell, 1980), and a type of scene.
//!
//! Voice, picture and music each tell the story with noise of their own: [`Telling`]. Nothing else passes from one side
//! to another, so ranking by the tellings themselves is the best that any listener can do: [`ceiling`].

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::draw::{gaussian, pick};

/// Length of a step of the path, seconds. Nothing on two sides is in step more finely than this.
pub const STEP_S: f64 = 8.0;
/// Steps of every story, longer than any video, so that a video's length says nothing about its story.
pub const STEPS: usize = 8;
/// Steps that the first 32 s of a video show.
const TEST_STEPS: usize = 4;
/// Seconds in which a telling glides from one step to the next.
const GLIDE_S: f64 = 2.0;
/// How far a telling's steps may begin early or late, seconds.
const SHIFT_S: f64 = 1.5;
/// The middle of a path lies anywhere within this.
const MIDDLE: f32 = 0.75;
/// Standard deviation of a step from the middle of its path.
const EXCURSION: f32 = 0.45;

/// A point of the plane; both in -1..=1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Mood {
    /// From unpleasant to pleasant.
    pub valence: f32,
    /// From calm to excited.
    pub arousal: f32,
}

impl Mood {
    fn new(valence: f32, arousal: f32) -> Self {
        Self {
            valence: valence.clamp(-1.0, 1.0),
            arousal: arousal.clamp(-1.0, 1.0),
        }
    }

    fn strayed(self, deviation: f32, rng: &mut ChaCha8Rng) -> Self {
        Self::new(
            self.valence + deviation * gaussian(rng),
            self.arousal + deviation * gaussian(rng),
        )
    }

    fn towards(self, other: Self, part: f32) -> Self {
        Self {
            valence: self.valence + (other.valence - self.valence) * part,
            arousal: self.arousal + (other.arousal - self.arousal) * part,
        }
    }

    /// The quarter of the plane in a word, for tags.
    pub fn word(self) -> &'static str {
        match (self.valence >= 0.0, self.arousal >= 0.0) {
            (true, true) => "joyful",
            (true, false) => "peaceful",
            (false, true) => "tense",
            (false, false) => "gloomy",
        }
    }
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scene {
    /// Blows are exchanged.
    Battle,
    /// Somebody flees, somebody follows.
    Chase,
    /// A wide land is walked through.
    Journey,
    /// Something is to be found out.
    Riddle,
    /// Prizes are given.
    Ceremony,
    /// People trade and talk.
    Market,
    /// Old stones, below.
    Cavern,
    /// Machines and neon.
    Arcade,
}

impl Scene {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Battle,
        Self::Chase,
        Self::Journey,
        Self::Riddle,
        Self::Ceremony,
        Self::Market,
        Self::Cavern,
        Self::Arcade,
    ];

    /// Place in [`Scene::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The word in `tags`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Battle => "battle",
            Self::Chase => "chase",
            Self::Journey => "journey",
            Self::Riddle => "riddle",
            Self::Ceremony => "ceremony",
            Self::Market => "market",
            Self::Cavern => "cavern",
            Self::Arcade => "arcade",
        }
    }
}

/// What a video is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// What happens.
    pub scene: Scene,
    /// [`STEPS`] moods, one per [`STEP_S`].
    pub path: Vec<Mood>,
}

impl Story {
    /// A story by lot.
    pub(super) fn draw(rng: &mut ChaCha8Rng) -> Self {
        let middle = Mood::new(
            rng.random_range(-MIDDLE..MIDDLE),
            rng.random_range(-MIDDLE..MIDDLE),
        );
        Self {
            scene: *pick(rng, &Scene::ALL),
            path: (0..STEPS).map(|_| middle.strayed(EXCURSION, rng)).collect(),
        }
    }

    /// The middle of the path as it came out.
    pub fn middle(&self) -> Mood {
        let count = self.path.len().max(1) as f32;
        Mood {
            valence: self.path.iter().map(|mood| mood.valence).sum::<f32>() / count,
            arousal: self.path.iter().map(|mood| mood.arousal).sum::<f32>() / count,
        }
    }
}

/// A side of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Voice,
    Picture,
    Bgm,
}

/// How far a side strays from its story: standard deviations of the whole path and of each step, and the chance that it
/// shows the scene at all.
struct Noise {
    whole: f32,
    step: f32,
    scene: f64,
}

impl Side {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Voice => "voice",
            Self::Picture => "picture",
            Self::Bgm => "bgm",
        }
    }

    /// The voice tells best, the picture weakly.
    fn noise(self) -> Noise {
        match self {
            Self::Voice => Noise {
                whole: 0.10,
                step: 0.10,
                scene: 0.5,
            },
            Self::Picture => Noise {
                whole: 0.35,
                step: 0.35,
                scene: 0.8,
            },
            Self::Bgm => Noise {
                whole: 0.10,
                step: 0.10,
                scene: 0.75,
            },
        }
    }
}

/// A story as one side tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Telling {
    /// The scene shown; by chance another than the story's.
    pub scene: Scene,
    /// The moods told.
    pub path: Vec<Mood>,
    /// Seconds that the steps begin late.
    pub shift_s: f64,
    /// Seconds that lie before the story, for music that began earlier.
    pub before_s: f64,
}

impl Telling {
    pub(super) fn of(story: &Story, side: Side, rng: &mut ChaCha8Rng) -> Self {
        let noise = side.noise();
        let (valence, arousal) = (noise.whole * gaussian(rng), noise.whole * gaussian(rng));
        let path = story
            .path
            .iter()
            .map(|mood| Mood::new(mood.valence + valence, mood.arousal + arousal).strayed(noise.step, rng))
            .collect();
        let scene = if rng.random_bool(noise.scene) {
            story.scene
        } else {
            *pick(rng, &Scene::ALL)
        };
        Self {
            scene,
            path,
            shift_s: rng.random_range(-SHIFT_S..SHIFT_S),
            before_s: 0.0,
        }
    }

    /// The same, told `before_s` later, after two steps that lead to it and before two that lead away.
    pub(super) fn within_a_longer_one(mut self, before_s: f64, rng: &mut ChaCha8Rng) -> Self {
        let (first, last) = (self.path[0], self.path[self.path.len() - 1]);
        let mut path: Vec<Mood> = (0..2).map(|_| first.strayed(EXCURSION, rng)).collect();
        path.append(&mut self.path);
        path.extend((0..2).map(|_| last.strayed(EXCURSION, rng)));
        Self {
            path,
            before_s: before_s - 2.0 * STEP_S,
            ..self
        }
    }

    /// The mood at `time_s`.
    pub(super) fn at(&self, time_s: f64) -> Mood {
        let step = |index: f64| self.path[(index.max(0.0) as usize).min(self.path.len() - 1)];
        let place = (time_s - self.shift_s - self.before_s) / STEP_S;
        let into_s = (place - place.floor()) * STEP_S;
        let part = ((into_s - (STEP_S - GLIDE_S)) / GLIDE_S).max(0.0);
        step(place.floor()).towards(step(place.floor() + 1.0), part as f32)
    }
}

/// What the ideal listener knows of one video.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The voice's telling.
    pub voice: Telling,
    /// The picture's telling.
    pub picture: Telling,
    /// The music's telling from the video's start on.
    pub bgm: Telling,
}

/// Scores of every track for every query as the likelihood of the tellings of the first 32 s: what a perfect listener
/// who hears each side's telling exactly would rank by.
pub fn ceiling(told: &[Told]) -> Vec<Vec<f32>> {
    told.iter()
        .map(|query| {
            told.iter()
                .map(|candidate| likelihood(query, &candidate.bgm))
                .collect()
        })
        .collect()
}

/// Logarithm of the likelihood, but for what is equal for all tracks, that `bgm` answers the query.
fn likelihood(query: &Told, bgm: &Telling) -> f32 {
    let mut sum = 0.0;
    for (telling, side) in [(&query.voice, Side::Voice), (&query.picture, Side::Picture)] {
        let (own, music) = (side.noise(), Side::Bgm.noise());
        let step = own.step * own.step + music.step * music.step;
        let whole = own.whole * own.whole + music.whole * music.whole;
        for axis in [|mood: &Mood| mood.valence, |mood: &Mood| mood.arousal] {
            let gaps: Vec<f32> = telling
                .path
                .iter()
                .zip(&bgm.path)
                .take(TEST_STEPS)
                .map(|(a, b)| axis(a) - axis(b))
                .collect();
            let count = gaps.len() as f32;
            let mean = gaps.iter().sum::<f32>() / count;
            let spread: f32 = gaps.iter().map(|gap| (gap - mean) * (gap - mean)).sum();
            sum -= 0.5 * (spread / step + count * mean * mean / (step + count * whole));
        }
        // Both show the story's scene, or at least one of them drew.
        let others = (1.0 - own.scene * music.scene) / Scene::ALL.len() as f64;
        let equal = if telling.scene == bgm.scene {
            own.scene * music.scene
        } else {
            0.0
        };
        sum += ((equal + others) / others).ln() as f32;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::draw::stream;
    use crate::retrieval::{rank_of, recall};

    fn told(count: u64, bound: bool) -> Vec<Told> {
        (0..count)
            .map(|number| {
                let mut rng = stream(number, "story");
                let stories: Vec<Story> = (0..3).map(|_| Story::draw(&mut rng)).collect();
                let of = |side: Side, place: usize, rng: &mut ChaCha8Rng| {
                    Telling::of(&stories[if bound { 0 } else { place }], side, rng)
                };
                Told {
                    voice: of(Side::Voice, 0, &mut rng),
                    picture: of(Side::Picture, 1, &mut rng),
                    bgm: of(Side::Bgm, 2, &mut rng),
                }
            })
            .collect()
    }

    fn recalled(told: &[Told]) -> crate::retrieval::Recall {
        let ranks: Vec<usize> = ceiling(told)
            .iter()
            .enumerate()
            .map(|(truth, scores)| rank_of(scores, truth))
            .collect();
        recall(&ranks)
    }

    #[test]
    fn the_tellings_find_their_music_and_independent_ones_do_not() {
        let bound = recalled(&told(162, true));
        assert!(bound.r1 > 60.0 && bound.r10 > 95.0, "{bound:?}");
        let null = recalled(&told(162, false));
        assert!(null.r1 < 4.0 && null.r10 < 13.0, "{null:?}");
    }

    #[test]
    fn a_telling_holds_its_steps_and_glides_between() {
        let path: Vec<Mood> = [-1.0, 1.0].map(|arousal| Mood::new(0.0, arousal)).to_vec();
        let telling = Telling {
            scene: Scene::Battle,
            path,
            shift_s: 0.0,
            before_s: 0.0,
        };
        let check = |time_s: f64, expected: f32| {
            assert!((telling.at(time_s).arousal - expected).abs() < 1e-5, "{time_s}");
        };
        check(-3.0, -1.0);
        check(5.9, -1.0);
        check(7.0, 0.0);
        check(8.0, 1.0);
        check(90.0, 1.0);
    }

    #[test]
    fn music_that_began_earlier_tells_the_same_then() {
        let mut rng = stream(3, "longer");
        let story = Story::draw(&mut rng);
        let telling = Telling::of(&story, Side::Bgm, &mut rng);
        let longer = telling.clone().within_a_longer_one(11.0, &mut rng);
        for second in 4..60 {
            let (then, now) = (telling.at(f64::from(second)), longer.at(f64::from(second) + 11.0));
            assert!((then.valence - now.valence).abs() < 1e-5, "{second}");
        }
    }
}
