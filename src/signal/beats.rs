//! Onsets and the pulse they make.
//!
//! The onset curve is the spectral flux of log-compressed bands (Böck and Widmer, `DAFx` 2013,
//! without the vibrato suppression); the tempo is the beat whose halves, doubles and quadruples
//! stand out most in its autocorrelation, under the usual preference for tempos near 120 a minute
//! (Ellis, 2007). Thirds speak against a beat: they belong to one a half longer or shorter.

use super::for_each_spectrum;

const WINDOW_POINTS: usize = 1024;
const HOP_SAMPLES: usize = 256;
const BANDS: usize = 36;
const LOWEST_HZ: f64 = 40.0;
const HIGHEST_HZ: f64 = 10_000.0;
/// Compression: 0 would be linear.
const COMPRESSION: f32 = 100.0;
/// Half the stretch that the local mean of the onset curve is taken over.
const LOCAL_MEAN_S: f64 = 0.4;

const SLOWEST_BPM: f64 = 50.0;
const FASTEST_BPM: f64 = 210.0;
const PREFERRED_BPM: f64 = 120.0;
/// Standard deviation of the preference, in octaves.
const PREFERENCE_OCTAVES: f64 = 1.2;
/// Tempos tried, evenly spaced in pitch: a sixth of a per cent apart.
const TEMPOS_TRIED: u32 = 860;
/// Multiples of a beat and what a correlation there says for it.
const METRE: [(f64, f64); 6] = [
    (0.25, 0.5),
    (1.5, 1.0),
    (1.0, 2.0),
    (1.0, 4.0),
    (-1.0, 1.0 / 3.0),
    (-1.0, 2.0 / 3.0),
];
/// The longest of them.
const LONGEST_BEATS: f64 = 4.0;
/// Sum of the weights that speak for a beat.
const FULL_PULSE: f64 = 3.75;
/// Share of a full pulse (every beat alike) under which there is none to speak of.
const WEAKEST_PULSE: f64 = 0.06;

/// How strongly something starts at each moment.
#[derive(Debug)]
pub(super) struct OnsetCurve {
    values: Vec<f32>,
    rate_hz: f64,
}

impl OnsetCurve {
    /// The curve of mono `samples`, independent of their level.
    pub(super) fn of(samples: &[f32], sample_rate: u32) -> Self {
        let rate_hz = f64::from(sample_rate) / HOP_SAMPLES as f64;
        let edges = band_edges(sample_rate);
        let mut bands: Vec<f32> = Vec::new();
        for_each_spectrum(samples, WINDOW_POINTS, HOP_SAMPLES, |magnitudes| {
            bands.extend(
                edges
                    .windows(2)
                    .map(|edge| magnitudes[edge[0]..edge[1]].iter().sum::<f32>()),
            );
        });
        let mean = bands.iter().sum::<f32>() / bands.len().max(1) as f32;
        let scale = if mean > 0.0 { COMPRESSION / mean } else { 0.0 };
        for band in &mut bands {
            *band = (*band * scale).ln_1p();
        }
        let rows: Vec<&[f32]> = bands.chunks_exact(edges.len() - 1).collect();
        let flux: Vec<f32> = rows
            .windows(2)
            .map(|pair| {
                pair[1]
                    .iter()
                    .zip(pair[0])
                    .map(|(now, before)| (now - before).max(0.0))
                    .sum()
            })
            .collect();
        Self {
            values: above_local_mean(&flux, (LOCAL_MEAN_S * rate_hz) as usize),
            rate_hz,
        }
    }

    /// Onsets a second: peaks that stand clear of the curve's ordinary height.
    pub(super) fn density_hz(&self) -> f32 {
        let n = self.values.len();
        if n < 3 {
            return 0.0;
        }
        let mean = self.values.iter().sum::<f32>() / n as f32;
        let variance = self.values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / n as f32;
        let threshold = mean + variance.sqrt();
        let peaks = self
            .values
            .windows(3)
            .filter(|w| w[1] > threshold && w[1] > w[0] && w[1] >= w[2])
            .count();
        peaks as f32 / (n as f64 / self.rate_hz) as f32
    }

    /// Beats per minute; `None` where no beat stands out, and for less than ten seconds.
    pub(super) fn tempo_bpm(&self) -> Option<f32> {
        let longest = (LONGEST_BEATS * 60.0 / SLOWEST_BPM * self.rate_hz) as usize + 2;
        if self.values.len() < 2 * longest {
            return None;
        }
        let correlation = autocorrelation(&self.values, longest);
        let at = |lag: f64| {
            let (whole, part) = (lag as usize, lag.fract() as f32);
            f64::from(correlation[whole] * (1.0 - part) + correlation[whole + 1] * part)
        };
        let pulse = |bpm: f64| {
            let beat = 60.0 / bpm * self.rate_hz;
            let said = |&(weight, beats): &(f64, f64)| {
                let value = at(beats * beat);
                weight * if weight < 0.0 { value.max(0.0) } else { value }
            };
            METRE.iter().map(said).sum::<f64>() / FULL_PULSE
        };
        (0..=TEMPOS_TRIED)
            .map(|i| {
                let octaves = (FASTEST_BPM / SLOWEST_BPM).log2() * f64::from(i) / f64::from(TEMPOS_TRIED);
                let bpm = SLOWEST_BPM * octaves.exp2();
                let away = (bpm / PREFERRED_BPM).log2() / PREFERENCE_OCTAVES;
                let strength = pulse(bpm);
                (bpm, strength, strength * (-0.5 * away * away).exp())
            })
            .max_by(|a, b| a.2.total_cmp(&b.2))
            .filter(|&(_, strength, _)| strength > WEAKEST_PULSE)
            .map(|(bpm, ..)| bpm as f32)
    }
}

/// First bins of the bands, evenly spaced in pitch, each at least one bin wide, and the last
/// band's end.
fn band_edges(sample_rate: u32) -> Vec<usize> {
    let hz_per_bin = f64::from(sample_rate) / WINDOW_POINTS as f64;
    let highest = HIGHEST_HZ.min(f64::from(sample_rate) / 2.0);
    let mut edges: Vec<usize> = (0..=BANDS)
        .map(|i| {
            let hz = LOWEST_HZ * (highest / LOWEST_HZ).powf(i as f64 / BANDS as f64);
            (hz / hz_per_bin).round().max(1.0) as usize
        })
        .collect();
    edges.dedup();
    edges
}

/// What of each value lies above the mean of its neighbourhood.
fn above_local_mean(values: &[f32], half: usize) -> Vec<f32> {
    let mut sums = vec![0.0_f64];
    for &value in values {
        sums.push(sums[sums.len() - 1] + f64::from(value));
    }
    (0..values.len())
        .map(|i| {
            let (from, to) = (i.saturating_sub(half), (i + half + 1).min(values.len()));
            let mean = (sums[to] - sums[from]) / (to - from) as f64;
            (values[i] - mean as f32).max(0.0)
        })
        .collect()
}

/// Autocorrelation of the mean-free curve up to `longest`, per overlapping sample, 1 at lag 0.
fn autocorrelation(values: &[f32], longest: usize) -> Vec<f32> {
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    let centred: Vec<f32> = values.iter().map(|v| v - mean).collect();
    let power = centred.iter().map(|v| v * v).sum::<f32>() / centred.len() as f32;
    (0..=longest)
        .map(|lag| {
            let pairs = centred.len() - lag;
            let sum: f32 = centred.iter().zip(&centred[lag..]).map(|(a, b)| a * b).sum();
            if power > 0.0 {
                sum / pairs as f32 / power
            } else {
                0.0
            }
        })
        .collect()
}
