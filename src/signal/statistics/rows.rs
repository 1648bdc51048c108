//! The 190 values of each frame, in decibels. Formulas are librosa's; names of its functions stand beside them.

use super::SAMPLE_RATE;
use super::spectrum::{HOP, POINTS, spectra};

const BINS: usize = POINTS / 2 + 1;
const CHROMA: usize = 12;
const MEL_BANDS: usize = 96;
const COEFFICIENTS: usize = 20;
/// Frames that a delta is read from.
const DELTA_FRAMES: usize = 9;
/// Smallest power that counts, and how far under the largest a value can lie, dB.
const FLOOR: f64 = 1e-10;
const RANGE_DB: f64 = 80.0;
/// Share of the magnitude that lies under the roll-off.
const ROLL_OFF: f64 = 0.85;

/// Values over time.
type Row = Vec<f64>;

/// All values of one part of the sound over time.
pub(super) fn rows(sound: &[f64]) -> Vec<Row> {
    let frames = spectra(sound, POINTS, HOP);
    let magnitudes: Vec<Row> = frames
        .iter()
        .map(|frame| frame.iter().map(|bin| bin.norm()).collect())
        .collect();
    let powers: Vec<Row> = magnitudes
        .iter()
        .map(|frame| frame.iter().map(|value| value * value).collect())
        .collect();
    let chroma = chroma(&powers);
    let mel = project(&mel_filters(), &powers);
    let mfcc = mfcc(&mel);
    let spectral = spectral(&magnitudes);
    let [centroid, bandwidth, roll_off] = spectral;
    let blocks = [
        chroma.clone(),
        smoothed(&chroma),
        mel,
        mfcc.clone(),
        mfcc.iter().map(|row| slope(row)).collect(),
        mfcc.iter().map(|row| curvature(row)).collect(),
        vec![level(sound)],
        vec![centroid],
        vec![bandwidth],
        vec![roll_off],
        polynomials(&magnitudes, 1),
        polynomials(&magnitudes, 2),
        vec![crossings(sound)],
    ];
    blocks.into_iter().flat_map(decibels).collect()
}

/// Decibels under the largest of the block, whatever the sign.
fn decibels(block: Vec<Row>) -> Vec<Row> {
    let largest = block
        .iter()
        .flatten()
        .fold(FLOOR, |largest: f64, value| largest.max(value.abs()));
    let reference = 10.0 * largest.log10();
    let level = |value: f64| (10.0 * value.abs().max(FLOOR).log10() - reference).max(-RANGE_DB);
    // Where all is nothing, the largest lies on the floor and so does everything.
    block
        .into_iter()
        .map(|row| row.into_iter().map(level).collect())
        .collect()
}

/// Rows of `filters` times each frame: [filters][frames].
fn project(filters: &[Row], frames: &[Row]) -> Vec<Row> {
    filters
        .iter()
        .map(|filter| {
            frames
                .iter()
                .map(|frame| filter.iter().zip(frame).map(|(a, b)| a * b).sum())
                .collect()
        })
        .collect()
}

/// Divides each frame by what `norm` makes of it, unless that is nothing.
fn normalised(rows: &[Row], norm: impl Fn(&[f64]) -> f64) -> Vec<Row> {
    let mut rows = rows.to_vec();
    for frame in 0..rows.first().map_or(0, Vec::len) {
        let column: Row = rows.iter().map(|row| row[frame]).collect();
        let size = norm(&column);
        if size >= f64::from(f32::MIN_POSITIVE) {
            for row in &mut rows {
                row[frame] /= size;
            }
        }
    }
    rows
}

/// `chroma_stft` with the tuning at 440 Hz.
fn chroma(powers: &[Row]) -> Vec<Row> {
    let rows = project(&chroma_filters(), powers);
    normalised(&rows, |frame| {
        frame
            .iter()
            .fold(0.0, |largest: f64, value| largest.max(value.abs()))
    })
}

/// `filters.chroma`: a bump around each pitch class, as wide as the bins are apart, under a bump around A5.
fn chroma_filters() -> Vec<Row> {
    const CENTRE_OCTAVE: f64 = 5.0;
    const OCTAVES: f64 = 2.0;
    let classes = CHROMA as f64;
    let mut places: Row = (0..POINTS)
        .map(|bin| {
            let hz = bin as f64 * f64::from(SAMPLE_RATE) / POINTS as f64;
            classes * (hz / 27.5).log2()
        })
        .collect();
    places[0] = places[1] - 1.5 * classes;
    let width = |bin: usize| {
        places
            .get(bin + 1)
            .map_or(1.0, |next| (next - places[bin]).max(1.0))
    };
    let mut filters = vec![vec![0.0; BINS]; CHROMA];
    for bin in 0..BINS {
        let bump = |class: usize| {
            let away = (places[bin] - class as f64 + classes / 2.0).rem_euclid(classes) - classes / 2.0;
            (-0.5 * (2.0 * away / width(bin)).powi(2)).exp()
        };
        let norm = (0..CHROMA).map(|class| bump(class).powi(2)).sum::<f64>().sqrt();
        let octave = (-0.5 * ((places[bin] / classes - CENTRE_OCTAVE) / OCTAVES).powi(2)).exp();
        for class in 0..CHROMA {
            // Classes are counted from A; the first row is C.
            filters[(class + CHROMA - 3) % CHROMA][bin] = bump(class) / norm * octave;
        }
    }
    filters
}

/// The quantised and smoothed chroma of `chroma_cens`.
fn smoothed(chroma: &[Row]) -> Vec<Row> {
    const STEPS: [f64; 4] = [0.4, 0.2, 0.1, 0.05];
    const WINDOW: usize = 43;
    let window: Row = (0..WINDOW)
        .map(|at| 0.5 - 0.5 * (std::f64::consts::TAU * at as f64 / (WINDOW - 1) as f64).cos())
        .collect();
    let sum: f64 = window.iter().sum();
    let steps = |value: &f64| 0.25 * STEPS.iter().filter(|step| value > step).count() as f64;
    let shares = normalised(chroma, |frame| frame.iter().map(|value| value.abs()).sum());
    let smooth: Vec<Row> = shares
        .iter()
        .map(|row| {
            let row: Row = row.iter().map(steps).collect();
            (0..row.len())
                .map(|centre| {
                    let around = window.iter().enumerate().filter_map(|(at, weight)| {
                        let place = (centre + at).checked_sub(WINDOW / 2)?;
                        Some(row.get(place)? * weight / sum)
                    });
                    around.sum()
                })
                .collect()
        })
        .collect();
    normalised(&smooth, |frame| {
        frame.iter().map(|value| value * value).sum::<f64>().sqrt()
    })
}

/// `filters.mel` on Slaney's scale: triangles of equal area.
fn mel_filters() -> Vec<Row> {
    // Linear below 1 kHz, then 27 steps for a factor of 6.4.
    const HZ_PER_MEL: f64 = 200.0 / 3.0;
    const LOG_FROM_HZ: f64 = 1000.0;
    let log_step = 6.4_f64.ln() / 27.0;
    let knee = LOG_FROM_HZ / HZ_PER_MEL;
    let hz_of = |mel: f64| {
        if mel < knee {
            mel * HZ_PER_MEL
        } else {
            LOG_FROM_HZ * (log_step * (mel - knee)).exp()
        }
    };
    let top = knee + (f64::from(SAMPLE_RATE) / 2.0 / LOG_FROM_HZ).ln() / log_step;
    let edge = |number: usize| hz_of(top * number as f64 / (MEL_BANDS + 1) as f64);
    (0..MEL_BANDS)
        .map(|band| {
            let (lower, centre, upper) = (edge(band), edge(band + 1), edge(band + 2));
            (0..BINS)
                .map(|bin| {
                    let hz = hz_of_bin(bin);
                    let rise = (hz - lower) / (centre - lower);
                    let fall = (upper - hz) / (upper - centre);
                    rise.min(fall).max(0.0) * 2.0 / (upper - lower)
                })
                .collect()
        })
        .collect()
}

fn hz_of_bin(bin: usize) -> f64 {
    bin as f64 * f64::from(SAMPLE_RATE) / POINTS as f64
}

/// `mfcc` of mel powers: their decibels through an orthonormal cosine transform.
fn mfcc(mel: &[Row]) -> Vec<Row> {
    let level = |value: f64| 10.0 * value.max(FLOOR).log10();
    let loudest = mel
        .iter()
        .flatten()
        .fold(f64::NEG_INFINITY, |loudest: f64, &value| {
            loudest.max(level(value))
        });
    let bands = mel.len() as f64;
    let transform: Vec<Row> = (0..COEFFICIENTS)
        .map(|k| {
            let scale = if k == 0 { 1.0 } else { 2.0_f64 } / bands;
            (0..mel.len())
                .map(|band| {
                    scale.sqrt() * (std::f64::consts::PI * k as f64 * (band as f64 + 0.5) / bands).cos()
                })
                .collect()
        })
        .collect();
    let frames: Vec<Row> = (0..mel.first().map_or(0, Vec::len))
        .map(|frame| {
            mel.iter()
                .map(|row| level(row[frame]).max(loudest - RANGE_DB))
                .collect()
        })
        .collect();
    project(&transform, &frames)
}

/// `delta` of order 1: the slope of a line through nine frames; at the ends that of the nearest nine.
fn slope(row: &[f64]) -> Row {
    fitted(row, |around| {
        let centre = (DELTA_FRAMES / 2) as f64;
        let weighted = around
            .iter()
            .enumerate()
            .map(|(at, value)| (at as f64 - centre) * value);
        let squares = (0..DELTA_FRAMES).map(|at| (at as f64 - centre).powi(2));
        weighted.sum::<f64>() / squares.sum::<f64>()
    })
}

/// `delta` of order 2: twice the curvature of a parabola through nine frames.
fn curvature(row: &[f64]) -> Row {
    fitted(row, |around| {
        let centre = (DELTA_FRAMES / 2) as f64;
        let squares: Row = (0..DELTA_FRAMES).map(|at| (at as f64 - centre).powi(2)).collect();
        let mean = squares.iter().sum::<f64>() / DELTA_FRAMES as f64;
        let bend: Row = squares.iter().map(|square| square - mean).collect();
        let weighted = bend.iter().zip(around).map(|(bend, value)| bend * value);
        2.0 * weighted.sum::<f64>() / bend.iter().map(|bend| bend * bend).sum::<f64>()
    })
}

/// What `fit` makes of the nine frames around each; sound shorter than that stands still.
fn fitted(row: &[f64], fit: impl Fn(&[f64]) -> f64) -> Row {
    let Some(last) = row.len().checked_sub(DELTA_FRAMES) else {
        return vec![0.0; row.len()];
    };
    (0..row.len())
        .map(|centre| {
            let start = centre.saturating_sub(DELTA_FRAMES / 2).min(last);
            fit(&row[start..start + DELTA_FRAMES])
        })
        .collect()
}

/// `rms` of the frames.
fn level(sound: &[f64]) -> Row {
    around(sound, |frame| {
        (frame.map(|sample| sample.unwrap_or(0.0).powi(2)).sum::<f64>() / POINTS as f64).sqrt()
    })
}

/// `zero_crossing_rate`: beyond the ends the sound stays as it is.
fn crossings(sound: &[f64]) -> Row {
    const SILENT: f64 = 1e-10;
    let (first, last) = (sound.first().copied(), sound.last().copied());
    let half = POINTS / 2;
    (0..=sound.len() / HOP)
        .map(|frame| {
            let sign = |at: usize| {
                let place = (frame * HOP + at).checked_sub(half);
                let sample = place.map_or(first, |place| sound.get(place).copied().or(last));
                let sample = sample.unwrap_or(0.0);
                sample.abs() > SILENT && sample < 0.0
            };
            let count = (1..POINTS).filter(|&at| sign(at) != sign(at - 1)).count();
            count as f64 / POINTS as f64
        })
        .collect()
}

/// `measure` of each centred frame; `None` beyond the ends.
fn around(sound: &[f64], measure: impl Fn(&mut dyn Iterator<Item = Option<f64>>) -> f64) -> Row {
    let half = POINTS / 2;
    (0..=sound.len() / HOP)
        .map(|frame| {
            let mut samples = (0..POINTS).map(|at| {
                let place = (frame * HOP + at).checked_sub(half)?;
                sound.get(place).copied()
            });
            measure(&mut samples)
        })
        .collect()
}

/// `spectral_centroid`, `spectral_bandwidth` and `spectral_rolloff`, in Hz.
fn spectral(magnitudes: &[Row]) -> [Row; 3] {
    let mut rows = [Row::new(), Row::new(), Row::new()];
    for frame in magnitudes {
        let total: f64 = frame.iter().sum();
        let scale = if total < f64::from(f32::MIN_POSITIVE) {
            0.0
        } else {
            1.0 / total
        };
        let weighted = |value: &dyn Fn(f64) -> f64| -> f64 {
            let parts = frame.iter().enumerate();
            parts
                .map(|(bin, magnitude)| magnitude * scale * value(hz_of_bin(bin)))
                .sum()
        };
        let centroid = weighted(&|hz| hz);
        rows[0].push(centroid);
        rows[1].push(weighted(&|hz| (hz - centroid).powi(2)).sqrt());
        let mut below = 0.0;
        let bin = frame.iter().position(|magnitude| {
            below += magnitude;
            below >= ROLL_OFF * total
        });
        rows[2].push(hz_of_bin(bin.unwrap_or(0)));
    }
    rows
}

/// `poly_features`: coefficients of the polynomial of `order` through each spectrum over Hz, the highest first.
fn polynomials(magnitudes: &[Row], order: usize) -> Vec<Row> {
    let top = hz_of_bin(BINS - 1);
    let place = |bin: usize| hz_of_bin(bin) / top;
    let terms = order + 1;
    let moment = |power: usize| (0..BINS).map(|bin| place(bin).powi(power as i32)).sum::<f64>();
    let normal: Vec<Row> = (0..terms)
        .map(|i| (0..terms).map(|k| moment(i + k)).collect())
        .collect();
    let mut rows = vec![Row::new(); terms];
    for frame in magnitudes {
        let right: Row = (0..terms)
            .map(|power| {
                let parts = frame.iter().enumerate();
                parts
                    .map(|(bin, value)| place(bin).powi(power as i32) * value)
                    .sum()
            })
            .collect();
        for (power, coefficient) in solve(normal.clone(), right).into_iter().enumerate() {
            rows[order - power].push(coefficient / top.powi(power as i32));
        }
    }
    rows
}

/// Solves a small regular system by elimination; the rows' pivots are the moments of distinct places and never vanish.
fn solve(mut matrix: Vec<Row>, mut right: Row) -> Row {
    let count = right.len();
    for pivot in 0..count {
        let above = matrix[pivot].clone();
        for row in pivot + 1..count {
            let factor = matrix[row][pivot] / above[pivot];
            for (value, above) in matrix[row].iter_mut().zip(&above) {
                *value -= factor * above;
            }
            right[row] -= factor * right[pivot];
        }
    }
    for pivot in (0..count).rev() {
        for column in pivot + 1..count {
            right[pivot] -= matrix[pivot][column] * right[column];
        }
        right[pivot] /= matrix[pivot][pivot];
    }
    right
}
