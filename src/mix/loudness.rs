//! Levels measured off line: of the voice for ducking, of a track for its place under the voice, of the mix for its
//! loudness target.

use super::ducking::voice_activity;
use super::{DuckingCurve, MixGraph, MixSettings, RATE, SampleSource};
use crate::error::Result;
use crate::jobs::Monitor;
use crate::signal::loudness::Meter;

/// Frames measured between two checks for a cancel: half a second.
const BLOCK: usize = RATE as usize / 2;
/// Frames in a step of the ducking curve.
const STEP_FRAMES: usize = (RATE as f64 * DuckingCurve::STEP_S) as usize;

/// What a voice stem is like.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VoiceLevels {
    /// Linear RMS of both channels, one value per 10 ms, as [`MixGraph::new`] takes it.
    pub rms: Vec<f32>,
    /// Integrated loudness, LUFS; `None` where nobody speaks.
    pub lufs: Option<f64>,
}

/// A voice stem this much quieter than the music beside it holds traces of that music and no voice-over.
const TRACES_LU: f64 = 15.0;

/// Measures the voice stem of a clip against its music (`original`), streaming. Where nobody speaks (the stem holds
/// only what the separator left over) the levels are all zero and there is no loudness.
///
/// # Errors
/// When a stem cannot be read; cancelled.
pub fn measure_voice(
    voice: &mut dyn SampleSource,
    original: &mut dyn SampleSource,
    monitor: &Monitor,
) -> Result<VoiceLevels> {
    let mut rms = Vec::with_capacity((voice.frames() / STEP_FRAMES as u64) as usize + 1);
    let stage = "Measuring the voice";
    let lufs = measure(voice, stage, &monitor.part(0.0, 0.5), &mut |samples| {
        // A block is a whole number of steps; only the last step of all may be short.
        for step in samples.chunks(2 * STEP_FRAMES) {
            let power = step
                .iter()
                .map(|&sample| f64::from(sample) * f64::from(sample))
                .sum::<f64>();
            rms.push((power / step.len() as f64).sqrt() as f32);
        }
    })?;
    let music_lufs = measure(original, stage, &monitor.part(0.5, 1.0), &mut |_| {})?;
    let traces = match (lufs, music_lufs) {
        (Some(voice), Some(music)) => voice < music - TRACES_LU,
        (voice, _) => voice.is_none(),
    };
    if traces || voice_activity(&rms).iter().all(|&depth| depth == 0.0) {
        rms.fill(0.0);
        return Ok(VoiceLevels { rms, lufs: None });
    }
    Ok(VoiceLevels { rms, lufs })
}

/// Integrated loudness of a track in LUFS; `None` for silence.
///
/// # Errors
/// When the track cannot be read; cancelled.
pub fn measure_track(track: &mut dyn SampleSource, monitor: &Monitor) -> Result<Option<f64>> {
    measure(track, "Measuring the track", monitor, &mut |_| {})
}

fn measure(
    source: &mut dyn SampleSource,
    stage: &str,
    monitor: &Monitor,
    also: &mut dyn FnMut(&[f32]),
) -> Result<Option<f64>> {
    let frames = source.frames();
    let mut meter = Meter::new(RATE, 2)?;
    let mut block = vec![0.0; 2 * BLOCK];
    let mut at = 0;
    while at < frames {
        monitor.check()?;
        monitor.progress(stage, Some(at as f32 / frames as f32));
        let samples = &mut block[..2 * (frames - at).min(BLOCK as u64) as usize];
        source.read_at(at, samples);
        if let Some(error) = source.take_error() {
            return Err(error);
        }
        meter.add(samples)?;
        also(samples);
        at += (samples.len() / 2) as u64;
    }
    Ok(meter.integrated_lufs())
}

/// How loud a whole mix is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MixLoudness {
    /// Integrated loudness, LUFS; `None` for silence.
    pub lufs: Option<f64>,
    /// Highest true peak, dBTP.
    pub true_peak_db: f64,
}

/// Renders the whole mix and measures it.
///
/// # Errors
/// When a source cannot be read; cancelled.
pub fn measure_mix(graph: &mut MixGraph, monitor: &Monitor) -> Result<MixLoudness> {
    let frames = graph.frames();
    let mut meter = Meter::new(RATE, 2)?;
    let mut block = vec![0.0; 2 * BLOCK];
    let mut at = 0;
    while at < frames {
        monitor.check()?;
        monitor.progress("Measuring the mix", Some(at as f32 / frames as f32));
        let samples = &mut block[..2 * (frames - at).min(BLOCK as u64) as usize];
        graph.render(at, samples);
        if let Some(error) = graph.take_error() {
            return Err(error);
        }
        meter.add(samples)?;
        at += (samples.len() / 2) as u64;
    }
    Ok(MixLoudness {
        lufs: meter.integrated_lufs(),
        true_peak_db: meter.true_peak_db(),
    })
}

/// A master gain found for a loudness target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoudnessMatch {
    /// The gain, dB; set in the graph.
    pub master_gain_db: f32,
    /// How loud the mix is with it.
    pub loudness: MixLoudness,
    /// Whether that is within 0.5 LU of the target. Not so where the limiter takes away whatever more gain
    /// would add, or where the mix is silent.
    pub reached: bool,
}

/// A target counts as reached this near.
const TOLERANCE_LU: f64 = 0.5;
/// The search goes on until it is this near.
const AIM_LU: f64 = 0.2;
/// Every pass renders the mix once.
const PASSES: usize = 6;
/// A master gain stays within this: what is so quiet that it would need more is left quiet.
const MOST_GAIN_DB: f64 = 40.0;
/// Where a dB more brings less than this, the limiter has eaten the rest.
const LEAST_RETURN: f64 = 0.15;

/// Sets the graph's master gain so that the mix has `target_lufs`, rendering it as often as the limiter makes needful:
/// once or twice where it rests.
///
/// # Errors
/// When a source cannot be read; cancelled.
pub fn match_loudness(graph: &mut MixGraph, target_lufs: f64, monitor: &Monitor) -> Result<LoudnessMatch> {
    let settings = graph.settings();
    let with_gain = |master_gain_db: f64| MixSettings {
        master_gain_db: master_gain_db as f32,
        ..settings
    };
    let mut gain_db = 0.0;
    let mut last: Option<(f64, f64)> = None;
    let mut best: Option<(f64, MixLoudness)> = None;
    for pass in 0..PASSES {
        graph.set_settings(with_gain(gain_db));
        let part = |pass: usize| 1.0 - 0.5f32.powi(pass as i32);
        let loudness = measure_mix(graph, &monitor.part(part(pass), part(pass + 1)))?;
        let Some(lufs) = loudness.lufs else {
            best = Some((0.0, loudness));
            break;
        };
        let missing = target_lufs - lufs;
        if best.is_none_or(|(_, best)| {
            best.lufs
                .is_none_or(|best| (target_lufs - best).abs() > missing.abs())
        }) {
            best = Some((gain_db, loudness));
        }
        // What a dB of gain brought last time; the limiter makes it less than one.
        let slope = last.map_or(1.0, |(gain, before)| (lufs - before) / (gain_db - gain));
        let next = (gain_db + missing / slope.clamp(LEAST_RETURN, 1.0)).clamp(-MOST_GAIN_DB, MOST_GAIN_DB);
        let spent = slope < LEAST_RETURN && missing > 0.0;
        if missing.abs() < AIM_LU || spent || (next - gain_db).abs() < 0.01 {
            break;
        }
        last = Some((gain_db, lufs));
        gain_db = next;
    }
    let (gain_db, loudness) = best.unwrap_or((
        0.0,
        MixLoudness {
            lufs: None,
            true_peak_db: f64::NEG_INFINITY,
        },
    ));
    graph.set_settings(with_gain(gain_db));
    monitor.progress("Measuring the mix", Some(1.0));
    Ok(LoudnessMatch {
        master_gain_db: gain_db as f32,
        loudness,
        reached: loudness
            .lufs
            .is_some_and(|lufs| (lufs - target_lufs).abs() <= TOLERANCE_LU),
    })
}
