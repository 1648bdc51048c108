//! The mix graph from outside: what one hears at a position depends on nothing but the position.

use std::sync::Arc;

use proptest::prelude::*;
use undertone::error::Result;
use undertone::jobs::Monitor;
use undertone::media::{AudioFormat, WavWriter};
use undertone::mix::{
    CandidateSettings, DuckingPreset, MemorySource, MixGraph, MixSettings, SampleSource, Silence, Solo,
    StemFile, VoiceLevels, match_loudness, measure_mix, measure_track, measure_voice,
};

const RATE: usize = 44_100;

/// Interleaved stereo of `frames`, `sample(seconds)` on both sides.
fn sound(frames: usize, sample: impl Fn(f32) -> f32) -> Vec<f32> {
    (0..frames)
        .flat_map(|frame| {
            let value = sample(frame as f32 / RATE as f32);
            [value, 0.8 * value]
        })
        .collect()
}

fn tone(frames: usize, hz: f32, gain: f32) -> Vec<f32> {
    sound(frames, |t| gain * (t * hz * std::f32::consts::TAU).sin())
}

fn source(samples: Vec<f32>) -> Box<dyn SampleSource> {
    Box::new(MemorySource::new(Arc::from(samples)))
}

/// Bursts of "speech" of half a second in every two.
fn speech(frames: usize) -> Vec<f32> {
    sound(frames, |t| {
        let speaks = f32::from(t % 2.0 < 0.5);
        0.3 * speaks * (t * 180.0 * std::f32::consts::TAU).sin()
    })
}

/// Levels of a voice beside music of `music_gain`.
fn levels_of(voice: Vec<f32>, music_gain: f32) -> Result<VoiceLevels> {
    let music = tone(voice.len() / 2, 500.0, music_gain);
    measure_voice(&mut *source(voice), &mut *source(music), &Monitor::silent())
}

fn rms_of(samples: &[f32]) -> Vec<f32> {
    levels_of(samples.to_vec(), 0.0).expect("levels").rms
}

/// Four seconds: speech, traces of music, a candidate of three seconds from its middle on.
fn graph(settings: MixSettings) -> MixGraph {
    let voice = speech(4 * RATE);
    let levels = rms_of(&voice);
    let mut graph = MixGraph::new(source(voice), source(tone(4 * RATE, 330.0, 0.2)), levels);
    graph.set_settings(settings);
    graph.set_candidate(Some(source(sound(3 * RATE, |t| {
        0.4 * (t * 523.0 * std::f32::consts::TAU).sin() + 0.3 * (t * 92.0 * std::f32::consts::TAU).sin()
    }))));
    graph
}

fn rendered(graph: &mut MixGraph, at: u64, frames: usize) -> Vec<f32> {
    let mut out = vec![f32::NAN; 2 * frames];
    graph.render(at, &mut out);
    out
}

/// Loud enough that the limiter works at most beats.
fn loud() -> MixSettings {
    MixSettings {
        original_muted: false,
        master_gain_db: 8.0,
        candidate: CandidateSettings {
            in_point_s: 1.7,
            gain_db: 3.0,
            ..CandidateSettings::default()
        },
        ..MixSettings::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn blocks_and_seeks_do_not_change_what_is_heard(
        blocks in prop::collection::vec((0u64..5 * RATE as u64, 1usize..6000, any::<bool>()), 1..25),
    ) {
        let whole = rendered(&mut graph(loud()), 0, 6 * RATE);
        prop_assert!(whole.iter().any(|sample| sample.abs() > 0.85), "the limiter works");
        let mut graph = graph(loud());
        let mut at = 0;
        for (seek, frames, seeks) in blocks {
            if seeks {
                at = seek;
            }
            let block = rendered(&mut graph, at, frames);
            let place = 2 * at as usize..2 * (at as usize + frames).min(6 * RATE);
            prop_assert_eq!(&block[..place.len()], &whole[place], "at {}", at);
            at = (at + frames as u64).min(5 * RATE as u64);
        }
    }
}

#[test]
fn a_mix_that_needs_no_limiter_is_the_sum_of_its_parts_in_place() {
    let voice = speech(RATE);
    let music = tone(RATE, 700.0, 0.1);
    let mut graph = MixGraph::new(source(voice.clone()), source(music.clone()), Vec::new());
    graph.set_settings(MixSettings {
        original_muted: false,
        ..MixSettings::default()
    });
    let sum: Vec<f32> = voice.iter().zip(&music).map(|(a, b)| a + b).collect();
    assert_eq!(rendered(&mut graph, 0, RATE), sum);
    assert_eq!(
        rendered(&mut graph, RATE as u64, 100),
        [0.0; 200],
        "silence past the end"
    );
    let levels = graph.take_levels();
    assert!((levels[0] - 0.3).abs() < 0.01 && (levels[1] - 0.1).abs() < 0.01 && levels[2] == 0.0);
    assert_eq!(graph.take_levels(), [0.0; 4]);
}

#[test]
fn mute_and_solo_choose_what_is_heard() {
    let check = |change: &dyn Fn(&mut MixSettings), expected: [bool; 3]| {
        let mut settings = MixSettings {
            original_muted: false,
            ..MixSettings::default()
        };
        change(&mut settings);
        let mut graph = graph(settings);
        rendered(&mut graph, 0, RATE);
        let levels = graph.take_levels();
        assert_eq!([levels[0] > 0.0, levels[1] > 0.0, levels[2] > 0.0], expected);
    };
    check(&|_| {}, [true, true, true]);
    check(&|settings| settings.voice_muted = true, [false, true, true]);
    check(&|settings| settings.original_muted = true, [true, false, true]);
    check(&|settings| settings.candidate_muted = true, [true, true, false]);
    check(&|settings| settings.solo = Solo::Voice, [true, false, false]);
    check(&|settings| settings.solo = Solo::Original, [false, true, false]);
    check(
        &|settings| {
            settings.solo = Solo::Candidate;
            settings.candidate_muted = true;
        },
        [false, false, true],
    );
}

/// Largest bend of the waveform, a click's mark.
fn sharpest_bend(samples: &[f32]) -> f32 {
    samples
        .windows(5)
        .map(|five| (five[0] - 2.0 * five[2] + five[4]).abs())
        .fold(0.0, f32::max)
}

#[test]
fn changes_are_heard_within_milliseconds_and_without_a_click() {
    let track = |hz: f32| source(tone(10 * RATE, hz, 0.4));
    let mut graph = MixGraph::new(
        Box::new(Silence::new(10 * RATE as u64)),
        Box::new(Silence::new(0)),
        Vec::new(),
    );
    graph.set_candidate(Some(track(110.0)));
    let mut settings = MixSettings::default();
    let mut heard = rendered(&mut graph, 0, RATE);
    let mut at = RATE as u64;
    let mut step = |graph: &mut MixGraph, heard: &mut Vec<f32>, frames: usize| {
        heard.extend(rendered(graph, at, frames));
        at += frames as u64;
    };
    // Another candidate, none, one again, and three within 6 ms.
    for candidate in [Some(150.0), None, Some(90.0)] {
        graph.set_candidate(candidate.map(track));
        step(&mut graph, &mut heard, 5000);
    }
    for hz in [120.0, 100.0, 140.0] {
        graph.set_candidate(Some(track(hz)));
        step(&mut graph, &mut heard, 90);
    }
    step(&mut graph, &mut heard, 5000);
    let changes: [&dyn Fn(&mut MixSettings); 6] = [
        &|settings| settings.candidate.in_point_s = 3.31,
        &|settings| settings.candidate.gain_db = -12.0,
        &|settings| settings.candidate_muted = true,
        &|settings| settings.candidate_muted = false,
        &|settings| settings.candidate.fade_in_s = 5.0,
        &|settings| settings.master_gain_db = 5.0,
    ];
    for change in changes {
        change(&mut settings);
        graph.set_settings(settings);
        step(&mut graph, &mut heard, 3000);
    }
    let bend = sharpest_bend(&heard);
    // A gain that turns from rest to a ramp of 10 ms bends by 0.001; a jump of this sound by 0.3.
    assert!(bend < 0.003, "a click of {bend}");
    let retired = std::iter::from_fn(|| graph.take_retired()).count();
    assert_eq!(
        retired, 5,
        "every candidate that was replaced comes back to be dropped"
    );
}

#[test]
fn a_change_of_candidate_does_not_move_the_voice() {
    let voice = speech(2 * RATE);
    let mut graph = MixGraph::new(source(voice.clone()), Box::new(Silence::new(0)), Vec::new());
    let mut heard = rendered(&mut graph, 0, 10_000);
    graph.set_candidate(Some(source(vec![0.0; 2 * RATE])));
    heard.extend(rendered(&mut graph, 10_000, 10_000));
    graph.set_candidate(None);
    heard.extend(rendered(&mut graph, 20_000, 10_000));
    assert_eq!(heard, voice[..60_000]);
}

/// Loudest sample of each tenth of a second of a clip of `clip_s` with a track of `track_s` from `in_point_s` on.
fn bed(clip_s: usize, track_s: usize, in_point_s: f64) -> Vec<f32> {
    let mut graph = MixGraph::new(Box::new(Silence::new(0)), Box::new(Silence::new(0)), Vec::new())
        .with_frames((clip_s * RATE) as u64);
    graph.set_candidate(Some(source(tone(track_s * RATE, 440.0, 0.5))));
    graph.set_settings(MixSettings {
        candidate: CandidateSettings {
            in_point_s,
            fade_in_s: 0.0,
            fade_out_s: 0.5,
            ..CandidateSettings::default()
        },
        ..MixSettings::default()
    });
    rendered(&mut graph, 0, clip_s * RATE)
        .chunks(2 * RATE / 10)
        .map(|tenth| tenth.iter().fold(0.0, |peak: f32, sample| peak.max(sample.abs())))
        .collect()
}

#[test]
fn the_bed_goes_on_from_the_tracks_start_until_all_of_it_was_heard() {
    let long_enough = bed(4, 10, 2.0);
    assert!(long_enough[..34].iter().all(|&peak| peak > 0.45));
    assert!(long_enough[39] < 0.1, "faded out with the clip");

    let wraps = bed(8, 10, 6.0);
    assert!(
        wraps[..74].iter().all(|&peak| peak > 0.2),
        "never silent: {wraps:?}"
    );

    let short = bed(8, 4, 0.0);
    assert!(short[..34].iter().all(|&peak| peak > 0.45));
    assert!(
        short[39] < 0.1 && short[40..].iter().all(|&peak| peak == 0.0),
        "{short:?}"
    );

    let short_from_its_middle = bed(8, 4, 2.5);
    assert!(short_from_its_middle[..19].iter().all(|&peak| peak > 0.2));
    assert!(short_from_its_middle[25..].iter().all(|&peak| peak == 0.0));

    assert_eq!(
        bed(2, 4, 99.0),
        bed(2, 4, 0.0),
        "an in point past the end is none"
    );
    assert!(bed(2, 0, 0.0).iter().all(|&peak| peak == 0.0));
}

#[test]
fn the_music_goes_down_under_the_voice() {
    let mut settings = MixSettings {
        ducking: DuckingPreset::Strong,
        ..MixSettings::default()
    };
    let candidate_peak = |settings: MixSettings| {
        let voice = sound(3 * RATE, |t| if t > 1.0 { 0.3 * (t * 1000.0).sin() } else { 0.0 });
        let levels = rms_of(&voice);
        let mut graph = MixGraph::new(source(voice), Box::new(Silence::new(0)), levels);
        graph.set_settings(settings);
        graph.set_candidate(Some(source(tone(3 * RATE, 440.0, 0.5))));
        rendered(&mut graph, 0, RATE / 2);
        let free = graph.take_levels()[2];
        rendered(&mut graph, 3 * RATE as u64 / 2, RATE / 2);
        20.0 * (graph.take_levels()[2] / free).log10()
    };
    assert!((candidate_peak(settings) + 15.0).abs() < 0.1);
    settings.ducking = DuckingPreset::Off;
    assert!(candidate_peak(settings).abs() < 0.1);
    settings.ducking = DuckingPreset::Normal;
    settings.voice_muted = true;
    assert!(
        candidate_peak(settings).abs() < 0.1,
        "no room for a voice that is not heard"
    );
}

#[test]
fn a_loudness_target_is_met_with_and_without_the_limiter() -> Result<()> {
    let quiet = MixSettings::default();
    for target in [-23.0, -16.0, -14.0] {
        let mut graph = graph(quiet);
        let found = match_loudness(&mut graph, target, &Monitor::silent())?;
        assert!(found.reached, "{target}: {found:?}");
        let measured = measure_mix(&mut graph, &Monitor::silent())?;
        assert!(
            (measured.lufs.expect("sound") - target).abs() < 0.5,
            "{measured:?}"
        );
        assert!(measured.true_peak_db <= -1.0, "{measured:?}");
        assert_eq!(graph.settings().master_gain_db, found.master_gain_db);
    }
    Ok(())
}

#[test]
fn a_target_that_the_limiter_forbids_is_said_to_be_missed() -> Result<()> {
    // Lone clicks: no gain makes them loud.
    let clicks = sound(4 * RATE, |t| f32::from((t * RATE as f32) as usize % 11_025 == 7));
    let mut graph = MixGraph::new(source(clicks), Box::new(Silence::new(0)), Vec::new());
    let found = match_loudness(&mut graph, -14.0, &Monitor::silent())?;
    assert!(!found.reached, "{found:?}");

    let mut silent = MixGraph::new(
        Box::new(Silence::new(RATE as u64)),
        Box::new(Silence::new(0)),
        Vec::new(),
    );
    let found = match_loudness(&mut silent, -14.0, &Monitor::silent())?;
    assert!(!found.reached && found.loudness.lufs.is_none() && found.master_gain_db == 0.0);
    Ok(())
}

#[test]
fn measuring_can_be_cancelled() {
    let monitor = Monitor::silent();
    monitor.cancel_token().cancel();
    let error = measure_track(&mut *source(tone(RATE, 440.0, 0.1)), &monitor).expect_err("cancelled");
    assert!(error.is_cancelled());
}

#[test]
fn a_voice_has_a_loudness_and_what_the_separator_left_over_has_none() -> Result<()> {
    let voice = levels_of(speech(3 * RATE), 0.1)?;
    assert_eq!(voice.rms.len(), 300);
    assert!(voice.lufs.is_some());
    let rest = levels_of(tone(3 * RATE, 440.0, 0.001), 0.0)?;
    assert_eq!(rest.lufs, None);
    let traces = levels_of(tone(3 * RATE, 440.0, 0.05), 0.5)?;
    assert_eq!(traces.lufs, None, "20 dB under the music");
    assert!(traces.rms.iter().all(|&level| level == 0.0));
    Ok(())
}

#[test]
fn a_stem_on_disk_reads_as_one_in_memory() -> Result<()> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("voice.wav");
    let samples = tone(50_000, 440.0, 0.5);
    let mut writer = WavWriter::create(&path, AudioFormat::MIX)?;
    writer.write(&samples)?;
    writer.finish()?;

    let mut stem = StemFile::open(&path)?;
    let mut memory = MemorySource::new(Arc::from(samples));
    assert_eq!(stem.frames(), 50_000);
    for (at, frames) in [
        (0, 100),
        (100, 40_000),
        (16_380, 10),
        (49_990, 50),
        (7, 3),
        (90_000, 4),
    ] {
        let (mut disk, mut ram) = (vec![1.0; 2 * frames], vec![2.0; 2 * frames]);
        stem.read_at(at, &mut disk);
        memory.read_at(at, &mut ram);
        assert_eq!(disk, ram, "at {at}");
    }
    assert!(stem.take_error().is_none());

    let mono = folder.path().join("mono.wav");
    let mut writer = WavWriter::create(&mono, AudioFormat::VGGISH)?;
    writer.write(&[0.0; 100])?;
    writer.finish()?;
    let error = StemFile::open(&mono).expect_err("not a stem").to_string();
    assert!(
        error.contains("16000 Hz") && error.contains("separate"),
        "{error}"
    );
    Ok(())
}
