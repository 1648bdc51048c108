//! The moving picture: a small game seen from above, one of a few arenas with the same few characters, so that videos look
//! alike as those of one game do.
//!
//! The story shows weakly, after what studies of film found. With arousal rise motion, shot rate, shake and effects
//! (Detenber, Simons and Bennett, 1998; Simons et al., 1999; Zettl, *Sight, Sound, Motion*), with valence warmth,
//! lightness and saturation of the colours (Valdez and Mehrabian, 1994; Wei, Dimitrova and Chang, 2004). The scene shows
//! in who moves how and in the colour of the effects.

mod arena;
mod play;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::draw::{gaussian, wait_s};
use super::story::{Mood, Telling};
use arena::Arena;
pub(super) use arena::ArenaId;
use play::Play;

/// Size of a picture in pixels.
pub(super) const WIDTH: usize = 256;
/// See [`WIDTH`].
pub(super) const HEIGHT: usize = 144;
/// Pictures a second.
pub(super) const RATE: u32 = 15;

/// Cuts a second at the origin, and ln of them per arousal.
const CUTS_PER_S: f32 = 0.14;
const CUTS_PER_AROUSAL: f32 = 0.9;
/// Pixels of shake at the origin, and ln of them per arousal.
const SHAKE_PX: f32 = 0.8;
const SHAKE_PER_AROUSAL: f32 = 1.3;
/// Share of colour and lightness that moves with valence.
const WARMTH_PER_VALENCE: f32 = 0.10;
const LIGHT_PER_VALENCE: f32 = 0.10;
const SATURATION_PER_VALENCE: f32 = 0.25;

/// Where the camera looks from.
#[derive(Debug, Clone, Copy)]
struct Camera {
    /// Centre, in map pixels.
    x: f32,
    y: f32,
    /// Map pixels of a picture pixel.
    zoom: f32,
    /// Turn, radians.
    turn: f32,
    /// Whom it follows.
    follows: usize,
}

/// Renders the pictures of one video in order.
pub(super) struct Film {
    arena: Arena,
    play: Play,
    telling: Telling,
    camera: Camera,
    rng: ChaCha8Rng,
    /// Pictures until the next cut.
    cut_in: f32,
    /// Grading of this video: independent of the story.
    tint: [f32; 3],
    frame: u64,
}

impl Film {
    pub(super) fn new(arena: ArenaId, telling: Telling, mut rng: ChaCha8Rng) -> Self {
        let arena = Arena::build(arena);
        let play = Play::new(telling.scene, &mut rng);
        let tint = std::array::from_fn(|_| 1.0 + 0.06 * gaussian(&mut rng));
        let mut film = Self {
            arena,
            play,
            telling,
            camera: Camera {
                x: 0.0,
                y: 0.0,
                zoom: 1.0,
                turn: 0.0,
                follows: 0,
            },
            rng,
            cut_in: 0.0,
            tint,
            frame: 0,
        };
        film.cut();
        film
    }

    /// The next picture: `WIDTH * HEIGHT * 3` bytes, RGB.
    pub(super) fn next(&mut self, rgb: &mut [u8]) {
        let mood = self.telling.at(self.frame as f64 / f64::from(RATE));
        self.frame += 1;
        self.play.step(mood, &mut self.rng);
        self.cut_in -= 1.0;
        if self.cut_in <= 0.0 {
            self.cut();
            let per_s = CUTS_PER_S * (CUTS_PER_AROUSAL * mood.arousal).exp();
            self.cut_in = (wait_s(&mut self.rng, per_s) + 0.5) * RATE as f32;
        }
        let (x, y) = self.play.place(self.camera.follows);
        self.camera.x += 0.15 * (x - self.camera.x);
        self.camera.y += 0.15 * (y - self.camera.y);
        let shake = SHAKE_PX * (SHAKE_PER_AROUSAL * mood.arousal).exp();
        let shaken = Camera {
            x: self.camera.x + shake * gaussian(&mut self.rng),
            y: self.camera.y + shake * gaussian(&mut self.rng),
            ..self.camera
        };
        self.draw(&shaken, mood, rgb);
    }

    fn cut(&mut self) {
        let follows = self.rng.random_range(0..self.play.count());
        let (x, y) = self.play.place(follows);
        self.camera = Camera {
            x,
            y,
            zoom: self.rng.random_range(0.7..1.5),
            turn: self.rng.random_range(-0.5..0.5),
            follows,
        };
    }

    fn draw(&self, camera: &Camera, mood: Mood, rgb: &mut [u8]) {
        let (sin, cos) = camera.turn.sin_cos();
        for row in 0..HEIGHT {
            let v = (row as f32 - HEIGHT as f32 / 2.0) * camera.zoom;
            for column in 0..WIDTH {
                let u = (column as f32 - WIDTH as f32 / 2.0) * camera.zoom;
                let pixel = self
                    .arena
                    .at(camera.x + u * cos - v * sin, camera.y + u * sin + v * cos);
                rgb[3 * (row * WIDTH + column)..][..3].copy_from_slice(&pixel);
            }
        }
        // From map to picture: the inverse turn.
        let project = |x: f32, y: f32| {
            let (dx, dy) = (arena::shortest(x - camera.x), arena::shortest(y - camera.y));
            (
                (dx * cos + dy * sin) / camera.zoom + WIDTH as f32 / 2.0,
                (dy * cos - dx * sin) / camera.zoom + HEIGHT as f32 / 2.0,
            )
        };
        self.play.draw(rgb, project, camera.zoom);
        self.grade(mood, rgb);
    }

    fn grade(&self, mood: Mood, rgb: &mut [u8]) {
        let v = mood.valence;
        let light = 1.0 + LIGHT_PER_VALENCE * v;
        let warm = [1.0 + WARMTH_PER_VALENCE * v, 1.0, 1.0 - WARMTH_PER_VALENCE * v];
        let factors: [f32; 3] = std::array::from_fn(|channel| light * warm[channel] * self.tint[channel]);
        let saturation = 1.0 + SATURATION_PER_VALENCE * v;
        for pixel in rgb.chunks_exact_mut(3) {
            let grey = (f32::from(pixel[0]) + 2.0 * f32::from(pixel[1]) + f32::from(pixel[2])) / 4.0;
            for (value, factor) in pixel.iter_mut().zip(factors) {
                *value = ((grey + (f32::from(*value) - grey) * saturation) * factor).clamp(0.0, 255.0) as u8;
            }
        }
        // A score board, as games have one; it counts by chance.
        for row in 4..9 {
            for column in 8..8 + (self.frame / 40 % 60) as usize {
                rgb[3 * (row * WIDTH + column)..][..3].copy_from_slice(&[230, 230, 230]);
            }
        }
    }
}

/// A disc with a soft edge.
fn disc(rgb: &mut [u8], (x, y): (f32, f32), radius: f32, colour: [u8; 3], opacity: f32) {
    let rows = (y - radius - 1.0).max(0.0) as usize..((y + radius + 2.0).max(0.0) as usize).min(HEIGHT);
    for row in rows {
        let columns = (x - radius - 1.0).max(0.0) as usize..((x + radius + 2.0).max(0.0) as usize).min(WIDTH);
        for column in columns {
            let distance = (column as f32 - x).hypot(row as f32 - y);
            let cover = (radius + 0.5 - distance).clamp(0.0, 1.0) * opacity;
            let pixel = &mut rgb[3 * (row * WIDTH + column)..][..3];
            for (value, ink) in pixel.iter_mut().zip(colour) {
                *value = (f32::from(*value) + (f32::from(ink) - f32::from(*value)) * cover) as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::draw::stream;
    use crate::arena::story::Scene;
    use crate::training::corpus::Split;

    fn film(valence: f32, arousal: f32, seed: u64) -> Film {
        let telling = Telling {
            scene: Scene::Battle,
            path: vec![Mood { valence, arousal }],
            shift_s: 0.0,
            before_s: 0.0,
        };
        let mut rng = stream(seed, "film");
        Film::new(ArenaId::draw(Split::Train, &mut rng), telling, rng)
    }

    /// Mean difference between a picture and the next, of 255.
    fn motion(arousal: f32) -> f32 {
        let mut sum = 0.0;
        for seed in 0..4 {
            let mut film = film(0.0, arousal, seed);
            let mut before = vec![0; WIDTH * HEIGHT * 3];
            let mut now = before.clone();
            film.next(&mut before);
            for _ in 0..30 {
                film.next(&mut now);
                let difference: u32 = before
                    .iter()
                    .zip(&now)
                    .map(|(&a, &b)| u32::from(a.abs_diff(b)))
                    .sum();
                sum += difference as f32 / now.len() as f32;
                std::mem::swap(&mut before, &mut now);
            }
        }
        sum / 120.0
    }

    #[test]
    fn an_excited_picture_moves_more() {
        let (calm, excited) = (motion(-0.8), motion(0.8));
        assert!(excited > 1.4 * calm, "{calm} {excited}");
    }

    #[test]
    fn a_film_is_its_seed() {
        let mut rgb = [vec![0; WIDTH * HEIGHT * 3], vec![0; WIDTH * HEIGHT * 3]];
        for rgb in &mut rgb {
            let mut film = film(0.3, 0.3, 7);
            for _ in 0..20 {
                film.next(rgb);
            }
        }
        assert_eq!(rgb[0], rgb[1]);
        let lightest = rgb[0].iter().max();
        assert!(lightest > Some(&90), "something is to be seen");
    }
}
