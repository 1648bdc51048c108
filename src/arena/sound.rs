//! Small operations on sound that voice, music and mix share. Mono unless it says stereo; [`RATE`] everywhere.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Samples per second of everything here.
pub(super) const RATE: u32 = 44_100;

/// Seconds as a count of samples.
pub(super) fn samples(seconds: f64) -> usize {
    (seconds.max(0.0) * f64::from(RATE)).round() as usize
}

/// A gain in decibels as a factor.
pub(super) fn gain(db: f32) -> f32 {
    10f32.powf(db / 20.0)
}

/// Root mean square; 0 for nothing.
pub(super) fn rms(sound: &[f32]) -> f32 {
    let power: f64 = sound.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    (power / sound.len().max(1) as f64).sqrt() as f32
}

/// RMS of the parts that sound: blocks of 50 ms within 25 dB of the loudest.
pub(super) fn active_rms(sound: &[f32]) -> f32 {
    let powers: Vec<f32> = sound
        .chunks(samples(0.05))
        .map(|block| rms(block).powi(2))
        .collect();
    let floor = powers.iter().fold(0.0f32, |a, &b| a.max(b)) * gain(-50.0);
    let loud: Vec<f32> = powers.into_iter().filter(|&power| power > floor).collect();
    (loud.iter().sum::<f32>() / loud.len().max(1) as f32).sqrt()
}

/// Multiplies.
pub(super) fn scale(sound: &mut [f32], factor: f32) {
    sound.iter_mut().for_each(|x| *x *= factor);
}

/// Adds `from` to `into` from sample `at` on; what does not fit is lost.
pub(super) fn add_at(into: &mut [f32], at: usize, from: &[f32], factor: f32) {
    for (x, &y) in into.iter_mut().skip(at).zip(from) {
        *x += y * factor;
    }
}

/// A filter of second order (R. Bristow-Johnson's cookbook formulae).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Biquad {
    b: [f32; 3],
    a: [f32; 2],
    z: [f32; 2],
}

impl Biquad {
    fn normalised(b: [f32; 3], a: [f32; 3]) -> Self {
        Self {
            b: b.map(|x| x / a[0]),
            a: [a[1] / a[0], a[2] / a[0]],
            z: [0.0; 2],
        }
    }

    fn angle(hz: f32) -> (f32, f32) {
        let w = std::f32::consts::TAU * (hz / RATE as f32).min(0.49);
        (w.sin(), w.cos())
    }

    /// Lifts what lies above `hz` by `db`.
    pub(super) fn high_shelf(hz: f32, db: f32) -> Self {
        let (sin, cos) = Self::angle(hz);
        let a = gain(db / 2.0);
        let alpha = sin / 2.0 * std::f32::consts::SQRT_2;
        let root = 2.0 * a.sqrt() * alpha;
        Self::normalised(
            [
                a * ((a + 1.0) + (a - 1.0) * cos + root),
                -2.0 * a * ((a - 1.0) + (a + 1.0) * cos),
                a * ((a + 1.0) + (a - 1.0) * cos - root),
            ],
            [
                (a + 1.0) - (a - 1.0) * cos + root,
                2.0 * ((a - 1.0) - (a + 1.0) * cos),
                (a + 1.0) - (a - 1.0) * cos - root,
            ],
        )
    }

    /// Keeps what lies below `hz`.
    pub(super) fn low_pass(hz: f32) -> Self {
        let (sin, cos) = Self::angle(hz);
        let alpha = sin / std::f32::consts::SQRT_2;
        let edge = (1.0 - cos) / 2.0;
        Self::normalised([edge, 1.0 - cos, edge], [1.0 + alpha, -2.0 * cos, 1.0 - alpha])
    }

    /// Keeps what lies about `hz`, `q` times as high as wide.
    pub(super) fn band_pass(hz: f32, q: f32) -> Self {
        let (sin, cos) = Self::angle(hz);
        let alpha = sin / (2.0 * q);
        Self::normalised([alpha, 0.0, -alpha], [1.0 + alpha, -2.0 * cos, 1.0 - alpha])
    }

    /// The next sample.
    #[inline]
    pub(super) fn step(&mut self, x: f32) -> f32 {
        let y = self.b[0] * x + self.z[0];
        self.z[0] = self.b[1] * x - self.a[0] * y + self.z[1];
        self.z[1] = self.b[2] * x - self.a[1] * y;
        y
    }

    /// Filters in place.
    pub(super) fn run(mut self, sound: &mut [f32]) {
        sound.iter_mut().for_each(|x| *x = self.step(*x));
    }
}

/// A room: four combs and two all-passes (Schroeder, 1962), in place, `wet` of it beside the dry sound.
/// `size` is about 0.3 for a booth and 1.5 for a hall; `spread` moves the echoes, so that two channels differ.
pub(super) fn reverberate(sound: &mut [f32], size: f32, wet: f32, spread: usize) {
    const COMBS: [usize; 4] = [1557, 1617, 1491, 1422];
    const ALL_PASSES: [usize; 2] = [225, 556];
    /// Of a comb's echo that comes back.
    const FEEDBACK: f32 = 0.78;
    let length = |base: usize| ((base + spread) as f32 * size).max(8.0) as usize;
    let mut combs: Vec<(Vec<f32>, usize, f32)> = COMBS
        .iter()
        .map(|&base| (vec![0.0; length(base)], 0, 0.0))
        .collect();
    let mut passes: Vec<(Vec<f32>, usize)> = ALL_PASSES
        .iter()
        .map(|&base| (vec![0.0; length(base)], 0))
        .collect();
    for sample in sound.iter_mut() {
        let mut echo = 0.0;
        for (line, at, dull) in &mut combs {
            let out = line[*at];
            *dull += 0.6 * (out - *dull);
            line[*at] = *sample + *dull * FEEDBACK;
            *at = (*at + 1) % line.len();
            echo += out;
        }
        for (line, at) in &mut passes {
            let held = line[*at];
            let out = held - 0.5 * echo;
            line[*at] = echo + 0.5 * out;
            *at = (*at + 1) % line.len();
            echo = out;
        }
        *sample += wet * 0.25 * echo;
    }
}

/// White noise in -1..1.
pub(super) fn noise(count: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// Reads `sound` at `speed(place)` times its rate, `place` in 0..1 being how far the reading is; between samples it
/// interpolates.
pub(super) fn bend(sound: &[f32], speed: impl Fn(f32) -> f32) -> Vec<f32> {
    let mut out = Vec::with_capacity(sound.len());
    let mut at = 0.0f64;
    while (at as usize) + 1 < sound.len() {
        let (index, part) = (at as usize, (at - at.floor()) as f32);
        out.push(sound[index] + (sound[index + 1] - sound[index]) * part);
        at += f64::from(speed(at as f32 / sound.len() as f32).clamp(0.25, 4.0));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f32) -> Vec<f32> {
        (0..RATE)
            .map(|i| (std::f32::consts::TAU * hz * i as f32 / RATE as f32).sin())
            .collect()
    }

    #[test]
    fn filters_pass_what_they_say() {
        let check = |filter: Biquad, hz: f32, expected_db: f32| {
            let mut sound = tone(hz);
            filter.run(&mut sound);
            let db = 20.0 * (rms(&sound[4000..]) / std::f32::consts::FRAC_1_SQRT_2).log10();
            assert!((db - expected_db).abs() < 1.0, "{hz} Hz: {db} dB");
        };
        check(Biquad::high_shelf(1000.0, 9.0), 8000.0, 9.0);
        check(Biquad::high_shelf(1000.0, 9.0), 60.0, 0.0);
        check(Biquad::low_pass(1000.0), 100.0, 0.0);
        check(Biquad::low_pass(1000.0), 10_000.0, -43.0);
        check(Biquad::band_pass(2000.0, 1.0), 2000.0, 0.0);
    }

    #[test]
    fn a_room_rings_out_and_stays_finite() {
        let mut sound = vec![0.0; RATE as usize];
        sound[0] = 1.0;
        reverberate(&mut sound, 1.0, 0.5, 23);
        assert!(rms(&sound[4000..8000]) > 1e-4);
        assert!(rms(&sound[40_000..]) < rms(&sound[4000..8000]) / 5.0);
    }

    #[test]
    fn bending_changes_length_as_it_changes_pitch() {
        let bent = bend(&tone(100.0), |_| 2.0);
        assert!((bent.len() as i64 - i64::from(RATE / 2)).abs() < 3);
    }
}
