//! What training does to sounds before they are separated and heard: mixes that no editor made, gains that no network should
//! lean on (reading, point 7).

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::error::Result;
use crate::jobs::Monitor;
use crate::media::{AudioFormat, SoundCodec, recode};
use crate::mix::{DuckingCurve, DuckingPreset};

/// How a voice and a track are mixed: everything that an editor would have chosen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(in crate::engine) struct Mix {
    /// How far the music's RMS lies under the voice's, dB.
    below_db: f32,
    /// Gain of both, dB.
    gain_db: f32,
    ducking: DuckingPreset,
    /// What the file was coded with; `None` where nothing was lost.
    codec: Option<SoundCodec>,
    bits_per_s: u32,
}

impl Mix {
    /// Chosen by lot: music 3 to 18 dB under the voice, any ducking, up to 6 dB quieter, any codec of videos on the web or
    /// none at 48 to 160 kbit/s.
    pub(in crate::engine) fn drawn(rng: &mut ChaCha8Rng) -> Self {
        Self {
            below_db: rng.random_range(3.0..18.0),
            gain_db: rng.random_range(-6.0..0.0),
            ducking: DuckingPreset::ALL[rng.random_range(0..DuckingPreset::ALL.len())],
            codec: [None, Some(SoundCodec::Aac), Some(SoundCodec::Opus)][rng.random_range(0..3)],
            bits_per_s: 1000 * rng.random_range(48..=160),
        }
    }

    /// The mix as it comes back from its codec, interleaved 44.1 kHz stereo.
    pub(super) fn coded(&self, samples: Vec<f32>, monitor: &Monitor) -> Result<Vec<f32>> {
        match self.codec {
            Some(codec) => recode(samples, AudioFormat::MIX, codec, self.bits_per_s, monitor),
            None => Ok(samples),
        }
    }
}

/// Mixes interleaved 44.1 kHz stereo; `music` repeats to the length of `voice`.
pub(super) fn mixed(voice: &[f32], music: &[f32], mix: &Mix) -> Vec<f32> {
    const CHANNELS: usize = AudioFormat::MIX.channels as usize;
    let rate = f64::from(AudioFormat::MIX.sample_rate);
    let level = rms(music);
    let music_gain = if level > 0.0 {
        rms(voice) / level * gain(-mix.below_db)
    } else {
        0.0
    };
    let step = (rate * DuckingCurve::STEP_S) as usize * CHANNELS;
    let loudness: Vec<f32> = voice.chunks(step).map(rms).collect();
    let curve = DuckingCurve::new(&loudness, mix.ducking);
    let overall = gain(mix.gain_db);
    let mut sum: Vec<f32> = voice
        .chunks(CHANNELS)
        .zip(music.chunks_exact(CHANNELS).cycle())
        .enumerate()
        .flat_map(|(frame, (voice, music))| {
            let ducked = music_gain * curve.gain_at(frame as f64 / rate);
            voice
                .iter()
                .zip(music)
                .map(move |(voice, music)| (voice + music * ducked) * overall)
        })
        .collect();
    let peak = sum.iter().fold(1f32, |peak, sample| peak.max(sample.abs()));
    for sample in &mut sum {
        *sample /= peak;
    }
    sum
}

/// Random gains between -9 and +3 dB, a new one every three seconds, with straight lines in dB between them.
pub(super) fn fade_randomly(samples: &mut [f32], seed: u64) {
    const STEP_S: usize = 3;
    let step = STEP_S * AudioFormat::VGGISH.sample_rate as usize;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let gains_db: Vec<f32> = (0..samples.len() / step + 2)
        .map(|_| rng.random_range(-9.0..3.0))
        .collect();
    for (at, sample) in samples.iter_mut().enumerate() {
        let (left, within) = (at / step, (at % step) as f32 / step as f32);
        *sample *= gain(gains_db[left] + (gains_db[left + 1] - gains_db[left]) * within);
    }
}

/// Makes a sound `gain_db` louder.
pub(super) fn amplify(samples: &mut [f32], gain_db: f32) {
    let gain = gain(gain_db);
    for sample in samples {
        *sample *= gain;
    }
}

fn gain(db: f32) -> f32 {
    10f32.powf(db / 20.0)
}

fn rms(samples: &[f32]) -> f32 {
    let energy: f64 = samples
        .iter()
        .map(|&sample| f64::from(sample) * f64::from(sample))
        .sum();
    (energy / samples.len().max(1) as f64).sqrt() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn music_lies_under_the_voice_by_what_was_drawn() {
        let voice = vec![0.2f32; 88_200];
        let music: Vec<f32> = [0.5, -0.5, -0.5, 0.5].repeat(5_000);
        let mix = Mix {
            below_db: 20.0,
            gain_db: -6.0206,
            ducking: DuckingPreset::Off,
            codec: None,
            bits_per_s: 128_000,
        };
        let sum = mixed(&voice, &music, &mix);
        assert_eq!(sum.len(), voice.len());
        // Half of 0.2 +- 0.02, to the last sample, although the music is shorter.
        for expected in [(0, 0.11), (1, 0.09), (88_196, 0.11), (88_199, 0.11)] {
            assert!(
                (sum[expected.0] - expected.1).abs() < 1e-4,
                "{expected:?} {}",
                sum[expected.0]
            );
        }
    }

    #[test]
    fn silent_or_missing_music_leaves_the_voice() {
        let voice = vec![0.2f32; 882];
        let mix = Mix::drawn(&mut ChaCha8Rng::seed_from_u64(1));
        let kept = voice[0] * gain(mix.gain_db);
        assert!(
            mixed(&voice, &[0.0; 882], &mix)
                .iter()
                .all(|sample| (sample - kept).abs() < 1e-6)
        );
    }

    #[test]
    fn random_gains_are_smooth_and_repeat() {
        let faded = |seed: u64| {
            let mut samples = vec![1f32; 16_000 * 10];
            fade_randomly(&mut samples, seed);
            samples
        };
        let first = faded(1);
        assert_eq!(first, faded(1));
        assert_ne!(first, faded(2));
        assert!(first.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 1e-3));
        assert!(first.iter().all(|gain| (0.35..1.42).contains(gain)));
    }
}
