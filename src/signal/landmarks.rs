//! Finds a recording again in another sound, under a voice, ducked, coded and after separation: pairs of peaks of the
//! spectrogram that lie alike in time and pitch, counted by the offset at which they agree (Wang, *An industrial-strength
//! audio search algorithm*, ISMIR 2003). Levels do not matter; a changed tempo or key does.

use std::collections::HashMap;

use super::for_each_spectrum;

/// Rate of the sounds that are compared, Hz.
pub const SAMPLE_RATE: u32 = 16_000;

/// Samples of a frame: 64 ms, bins 15.6 Hz apart.
const POINTS: usize = 1024;
/// Samples from one frame to the next. Small against a frame, since two cuts of one recording have frames in between.
const HOP: usize = 256;
/// Bins that are looked at: 78 Hz to 5 kHz, where codecs leave music alone.
const BINS: std::ops::Range<usize> = 5..320;
/// A peak is the highest within so many frames and bins.
const NEAR_FRAMES: usize = 12;
const NEAR_BINS: usize = 12;
/// A peak is paired with the next ones, at most this many, within so many frames and bins.
const FAN_OUT: usize = 6;
const PAIR_FRAMES: u32 = 63;
const PAIR_BINS: u32 = 63;

/// A pair of peaks, as a number: bin of the first, bins up or down to the second, frames between them.
type Hash = u32;

/// The pairs of peaks of a sound, each with the frame of its first peak.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Landmarks {
    /// `hash, frame, hash, frame..`, as it is kept on disk.
    pub pairs: Vec<u32>,
}

impl Landmarks {
    /// Of 16 kHz mono sound.
    pub fn of(samples: &[f32]) -> Self {
        let peaks = peaks(samples);
        let mut pairs = Vec::new();
        for (at, &(frame, bin)) in peaks.iter().enumerate() {
            let near = peaks[at + 1..]
                .iter()
                .take_while(|(other, _)| other - frame <= PAIR_FRAMES)
                .filter(|(other, _)| *other > frame)
                .filter(|(_, other)| other.abs_diff(bin) <= PAIR_BINS)
                .take(FAN_OUT);
            for &(other_frame, other_bin) in near {
                let hash: Hash = (bin << 13) | ((other_bin + PAIR_BINS - bin) << 6) | (other_frame - frame);
                pairs.extend([hash, frame]);
            }
        }
        Self { pairs }
    }

    fn iter(&self) -> impl Iterator<Item = (Hash, u32)> {
        self.pairs.chunks_exact(2).map(|pair| (pair[0], pair[1]))
    }
}

/// The peaks (frame, bin) of a sound, by frame.
fn peaks(samples: &[f32]) -> Vec<(u32, u32)> {
    let width = BINS.len();
    let mut levels: Vec<f32> = Vec::new();
    for_each_spectrum(samples, POINTS, HOP, |spectrum| {
        levels.extend_from_slice(&spectrum[BINS]);
    });
    let frames = levels.len() / width;
    // The highest around each point: first along the bins, then along the frames.
    let along_bins: Vec<f32> = levels
        .chunks_exact(width)
        .flat_map(|frame| highest_around(frame, NEAR_BINS))
        .collect();
    let loudest = levels.iter().fold(0f32, |loudest, &level| loudest.max(level));
    // -70 dB of the loudest is noise.
    let floor = loudest * 3e-4;
    let mut found = Vec::new();
    for bin in 0..width {
        let column: Vec<f32> = (0..frames).map(|frame| along_bins[frame * width + bin]).collect();
        for (frame, highest) in highest_around(&column, NEAR_FRAMES).into_iter().enumerate() {
            let level = levels[frame * width + bin];
            if level > floor && level >= highest {
                found.push((frame as u32, bin as u32));
            }
        }
    }
    found.sort_unstable();
    found
}

/// The highest value within `near` places of each.
fn highest_around(values: &[f32], near: usize) -> Vec<f32> {
    // Places in falling order of their values; the first one is the highest in reach.
    let mut reach: std::collections::VecDeque<usize> = std::collections::VecDeque::new();
    let mut highest = Vec::with_capacity(values.len());
    for at in 0..values.len() + near {
        if let Some(&value) = values.get(at) {
            while reach.back().is_some_and(|&last| values[last] <= value) {
                reach.pop_back();
            }
            reach.push_back(at);
        }
        if let Some(centre) = at.checked_sub(near) {
            while reach.front().is_some_and(|&first| first + near < centre) {
                reach.pop_front();
            }
            highest.push(reach.front().map_or(0.0, |&first| values[first]));
        }
    }
    highest
}

/// A recording to be found again.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    frames: HashMap<Hash, Vec<u32>>,
}

/// Where a sound was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    /// The sound's beginning in the recording, seconds; negative where the sound begins earlier.
    pub offset_s: f64,
    /// Pairs of peaks that agree.
    pub votes: usize,
}

impl Recording {
    /// With the landmarks of the whole recording.
    pub fn new(landmarks: &Landmarks) -> Self {
        let mut frames: HashMap<Hash, Vec<u32>> = HashMap::new();
        for (hash, frame) in landmarks.iter() {
            frames.entry(hash).or_default().push(frame);
        }
        Self { frames }
    }

    /// Where most pairs of peaks of `sound` agree, give or take a frame; `None` where none do.
    pub fn find(&self, sound: &Landmarks) -> Option<Match> {
        let mut votes: HashMap<i64, usize> = HashMap::new();
        for (hash, frame) in sound.iter() {
            for &own in self.frames.get(&hash).into_iter().flatten() {
                *votes.entry(i64::from(own) - i64::from(frame)).or_default() += 1;
            }
        }
        let around = |offset: i64| -> usize {
            (offset - 1..=offset + 1)
                .filter_map(|near| votes.get(&near))
                .sum()
        };
        let (offset, votes) = votes
            .keys()
            .map(|&offset| (offset, around(offset)))
            .max_by_key(|&(offset, count)| (count, votes.get(&offset), -offset))?;
        Some(Match {
            offset_s: offset as f64 * HOP as f64 / f64::from(SAMPLE_RATE),
            votes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const RATE: usize = SAMPLE_RATE as usize;

    /// Four notes a second of three decaying partials each.
    fn tune(seed: u64, seconds: usize) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut samples = Vec::new();
        for _ in 0..seconds * 4 {
            let pitch_hz = 110.0 * 2f32.powf(rng.random_range(0..36) as f32 / 12.0);
            samples.extend((0..RATE / 4).map(|at| {
                let time_s = at as f32 / RATE as f32;
                let partial =
                    |number: f32| (std::f32::consts::TAU * pitch_hz * number * time_s).sin() / number;
                0.2 * (-4.0 * time_s).exp() * (partial(1.0) + partial(2.0) + partial(3.0))
            }));
        }
        samples
    }

    #[test]
    fn a_recording_is_found_where_it_was_cut() {
        let recordings: Vec<Vec<f32>> = (0..5).map(|seed| tune(seed, 40)).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        // Ten seconds of the third from 12.35 s on, quieter, under noise as loud.
        let from = 197_600;
        let sound: Vec<f32> = recordings[2][from..from + 10 * RATE]
            .iter()
            .map(|sample| 0.3 * sample + rng.random_range(-0.05..0.05))
            .collect();
        let sound = Landmarks::of(&sound);
        let found: Vec<Option<Match>> = recordings
            .iter()
            .map(|samples| Recording::new(&Landmarks::of(samples)).find(&sound))
            .collect();
        let own = found[2].expect("the recording itself");
        assert!((own.offset_s - 12.35).abs() < 0.033, "{found:?}");
        for other in [0, 1, 3, 4] {
            let votes = found[other].map_or(0, |found| found.votes);
            assert!(votes * 4 < own.votes, "{found:?}");
        }
    }

    #[test]
    fn silence_has_no_landmarks() {
        assert!(Landmarks::of(&vec![0.0; 32_000]).pairs.is_empty());
        assert!(Landmarks::of(&[]).pairs.is_empty());
        assert_eq!(Recording::default().find(&Landmarks::of(&tune(1, 2))), None);
    }

    #[test]
    fn the_highest_around_is_that_of_a_plain_search() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let values: Vec<f32> = (0..50).map(|_| rng.random_range(0.0..1.0)).collect();
        let plain: Vec<f32> = (0..50usize)
            .map(|at| {
                values[at.saturating_sub(4)..(at + 5).min(50)]
                    .iter()
                    .fold(0f32, |highest, &value| highest.max(value))
            })
            .collect();
        assert_eq!(highest_around(&values, 4), plain);
        assert_eq!(highest_around(&[1.0, 2.0], 4), [2.0, 2.0]);
        assert!(highest_around(&[], 4).is_empty());
    }
}
