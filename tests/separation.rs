//! Separation from samples to stems: against the reference's own code, and as files.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests say what they skip and measure"
)]

mod golden;

use std::f64::consts::TAU;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use candle_core::{Device, Tensor};
use golden::{check, device, input, needs_device, noise, reference, weights, weights_here};
use undertone::device::DeviceChoice;
use undertone::engine::separate::{
    MaskExtension, SeparateOptions, Separator, Stems, separate_cached, separate_file, separate_samples,
};
use undertone::engine::{Engine, EngineOptions};
use undertone::error::{ErrorKind, Result};
use undertone::jobs::{CancelToken, Monitor, Report};
use undertone::media::testing::{Synthetic, synthesise};
use undertone::media::{AudioFormat, WavReader, WavWriter};
use undertone::networks::spleeter::{Activations, Config, Masks, Spleeter};
use undertone::settings::Folders;
use undertone::signal::mel::{BANDS, log_mel};
use undertone::signal::stft::{Analyser, BINS, Complex32, Synthesiser};

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor
        .flatten_all()
        .and_then(|flat| flat.to_vec1())
        .expect("f32 values")
}

#[test]
fn log_mel_equals_vggish_front_end() {
    let expected = reference("signal");
    let rows = |samples: &[f32], step: usize| -> Tensor {
        let frames = log_mel(samples);
        let kept: Vec<f32> = frames
            .chunks_exact(BANDS)
            .step_by(step)
            .flatten()
            .copied()
            .collect();
        Tensor::from_vec(kept, (frames.len() / BANDS).div_ceil(step) * BANDS, &Device::Cpu).expect("rows")
    };
    let noise: Vec<f32> = values(&noise("mel", 16_000)).iter().map(|v| v * 0.5).collect();
    let sine: Vec<f32> = (0..48_000)
        .map(|i| (TAU * 1000.0 * i as f64 / 16_000.0).sin() as f32)
        .collect();
    for (case, actual) in [
        ("log_mel.noise", rows(&noise, 1)),
        ("log_mel.sine", rows(&sine, 7)),
    ] {
        check(case, &actual, &expected[case].flatten_all().expect("rows"));
    }
}

#[test]
fn the_transform_and_its_inverse_equal_tensorflow() {
    let expected = reference("signal");
    let (mut analyser, mut synthesiser) = (Analyser::default(), Synthesiser::default());
    analyser.push(values(&noise("stft", 6000)));
    analyser.end();
    let frames = analyser.ready();
    let mask = values(&noise("mask", (frames, BINS)));
    let mut frame = vec![Complex32::default(); BINS];
    let (mut real, mut imag, mut inverse) = (Vec::new(), Vec::new(), Vec::new());
    for mask in mask.chunks_exact(BINS) {
        assert!(analyser.next_frame(&mut frame));
        real.extend(frame.iter().step_by(16).map(|bin| bin.re));
        imag.extend(frame.iter().step_by(16).map(|bin| bin.im));
        for (bin, mask) in frame.iter_mut().zip(mask) {
            *bin *= mask * 0.5 + 0.5;
        }
        synthesiser.push(&frame, &mut inverse);
    }
    inverse.truncate(6000);
    for (case, actual) in [("stft.real", real), ("stft.imag", imag), ("inverse", inverse)] {
        let actual = Tensor::new(actual, &Device::Cpu).expect("values");
        check(case, &actual, &expected[case].flatten_all().expect("values"));
    }
}

fn config(width: f64, stems: &[&str]) -> Config {
    Config {
        width,
        stems: stems.iter().map(|&stem| stem.to_owned()).collect(),
        ..Config::default()
    }
}

#[test]
fn spleeter_equals_its_reference() -> Result<()> {
    needs_device!();
    let reference = reference("spleeter");
    let check_network =
        |case: &str, config: &Config, frames: usize, bins: usize, step: usize| -> Result<()> {
            let network = Spleeter::new(config, weights_here())?;
            let magnitude = (input("magnitude", (1, 2, frames, bins)).abs()? * 4.0)?;
            let every: Vec<u32> = (0..bins as u32).step_by(step).collect();
            let every = Tensor::new(every, &device())?;
            let mut layers = 0;
            let stems = network.forward_seeing(&magnitude, |layer, actual| {
                let name = format!("{case}.{layer}");
                let kept: Vec<f32> = values(actual).into_iter().step_by(61).collect();
                let kept = Tensor::new(kept, &device()).expect("values");
                check(&name, &kept, &reference[&name]);
                layers += 1;
            })?;
            assert_eq!(
                (stems.len(), layers),
                (config.stems.len(), 13 * config.stems.len())
            );
            for (stem, output) in stems.iter().enumerate() {
                let name = format!("{case}.{stem}");
                check(&name, &output.index_select(&every, 3)?, &reference[&name]);
            }
            Ok(())
        };
    check_network("two", &config(0.25, &["voice", "bgm"]), 64, 128, 2)?;
    let four = Config {
        activations: Activations::Elu,
        ..config(0.125, &["vocals", "drums", "bass", "other"])
    };
    check_network("four", &four, 128, 64, 8)?;
    let five = Config {
        activations: Activations::Elu,
        masks: Masks::Softmax,
        ..config(0.125, &["vocals", "piano", "drums", "bass", "other"])
    };
    check_network("five", &five, 64, 64, 8)?;
    check_network("full", &Config::default(), 64, 64, 4)
}

#[test]
fn a_config_or_a_segment_that_does_not_fit_is_refused() {
    let refused = |config: &Config| Spleeter::new(config, weights()).expect_err("refused").kind();
    assert_eq!(refused(&config(0.3, &["voice", "bgm"])), ErrorKind::Pack);
    assert_eq!(refused(&config(0.25, &[])), ErrorKind::Pack);
    let network = Spleeter::new(&config(0.125, &["vocals"]), weights()).expect("a network");
    let error = network
        .forward(&noise("m", (1, 2, 60, 64)))
        .expect_err("not a multiple of 64");
    assert!(error.to_string().contains("[1, 2, 60, 64]"), "{error}");
}

fn separate(network: &Spleeter, samples: &[f32], options: &SeparateOptions, block: usize) -> Result<Stems> {
    let monitor = Monitor::silent();
    let mut separator = Separator::new(network, &Device::Cpu, options, &monitor)?;
    let mut stems = Stems::default();
    for block in samples.chunks(block) {
        separator.push(block, &mut stems)?;
    }
    separator.finish(&mut stems)?;
    assert_eq!(
        (stems.voice.len(), stems.bgm.len()),
        (samples.len(), samples.len())
    );
    Ok(stems)
}

fn tiny() -> Spleeter {
    Spleeter::new(&config(0.125, &["voice", "bgm"]), weights()).expect("a network")
}

/// The sound that `spleeter_reference.py` separates.
fn reference_sound() -> Vec<f32> {
    let frames = 13 * 44_100 + 77;
    let mut sound: Vec<f32> = values(&noise("waveform", (frames, 2)))
        .iter()
        .map(|v| v * 0.25)
        .collect();
    sound[400_000..500_000].fill(0.0);
    sound
}

#[test]
fn the_whole_way_equals_the_reference() -> Result<()> {
    let expected = reference("spleeter_waveform");
    let sound = reference_sound();
    let network = tiny();
    for (case, extension) in [
        ("zeros", MaskExtension::Zeros),
        ("average", MaskExtension::Average),
    ] {
        let options = SeparateOptions {
            extension,
            ..SeparateOptions::REFERENCE
        };
        let stems = separate(&network, &sound, &options, 10_007 * 2)?;
        for (stem, actual) in ["voice", "bgm"].into_iter().zip([stems.voice, stems.bgm]) {
            let frames = actual.len() / 2;
            let actual = Tensor::from_vec(actual, (frames, 2), &Device::Cpu)?;
            let sparse: Vec<u32> = (0..frames as u32).step_by(97).collect();
            let sparse = actual.index_select(&Tensor::new(sparse, &Device::Cpu)?, 0)?;
            let border = 512 * 1024 - 4096;
            for (part, actual) in [
                ("sparse", sparse),
                ("border", actual.narrow(0, border - 500, 1000)?),
                ("end", actual.narrow(0, frames - 500, 500)?),
            ] {
                let name = format!("{case}.{stem}.{part}");
                check(&name, &actual, &expected[&name]);
            }
        }
    }
    Ok(())
}

fn largest(values: impl IntoIterator<Item = f32>) -> f32 {
    values
        .into_iter()
        .fold(0.0, |largest, value| largest.max(value.abs()))
}

#[test]
fn the_stems_add_up_to_the_sound() -> Result<()> {
    let sound = reference_sound();
    let network = tiny();
    let stems = separate(&network, &sound, &SeparateOptions::default(), 65_536)?;
    let sums = stems
        .voice
        .iter()
        .zip(&stems.bgm)
        .zip(&sound)
        .map(|((v, b), s)| v + b - s);
    let difference = largest(sums);
    assert!(difference < 1e-5, "{difference}");

    // With the mask ending at 11 kHz, so does the sound.
    let high: Vec<f32> = (0..60_000)
        .flat_map(|i| [0.5 * (TAU * 15_000.0 * f64::from(i) / 44_100.0).sin() as f32; 2])
        .collect();
    let middle = |stems: &Stems| {
        let sums = stems.voice.iter().zip(&stems.bgm).map(|(v, b)| v + b);
        largest(sums.skip(40_000).take(40_000))
    };
    let kept = middle(&separate(&network, &high, &SeparateOptions::default(), 65_536)?);
    assert!(kept > 0.49, "{kept}");
    let cut = middle(&separate(&network, &high, &SeparateOptions::REFERENCE, 65_536)?);
    assert!(cut < 1e-3, "{cut}");
    Ok(())
}

/// A tone whose period divides the hop is the same in every frame, so whatever changes in its stem, segments did.
#[test]
fn segments_leave_no_seam() -> Result<()> {
    let hz = 10.0 * 44_100.0 / 1024.0;
    let sound: Vec<f32> = (0..30 * 44_100)
        .flat_map(|i| [0.5 * (TAU * hz * f64::from(i) / 44_100.0).sin() as f32; 2])
        .collect();
    let network = tiny();
    // Largest step of the level from hop to hop: within the first segment, and where the next ones begin.
    let steps = |overlap_frames: usize| -> Result<(f32, f32)> {
        let options = SeparateOptions {
            overlap_frames,
            ..SeparateOptions::default()
        };
        let stems = separate(&network, &sound, &options, 1 << 20)?;
        let levels: Vec<f32> = stems
            .voice
            .chunks_exact(2048)
            .map(|hop| (hop.iter().map(|s| s * s).sum::<f32>() / 2048.0).sqrt())
            .collect();
        let steps: Vec<f32> = levels.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
        Ok((
            largest(steps[130..380].iter().copied()),
            largest(steps[400..1100].iter().copied()),
        ))
    };
    let ((within, hard), (_, soft)) = (steps(0)?, steps(64)?);
    println!("largest step: {within:.4} within, {hard:.4} side by side, {soft:.4} cross-faded");
    assert!(soft < 1.2 * within && 1.5 * within < hard);
    Ok(())
}

#[test]
fn blocks_and_lengths_change_nothing() -> Result<()> {
    let network = tiny();
    let options = SeparateOptions {
        overlap_frames: 100,
        ..SeparateOptions::default()
    };
    let sound = &reference_sound()[..2 * 30_000];
    let whole = separate(&network, sound, &options, sound.len())?;
    assert_eq!(separate(&network, sound, &options, 2 * 777)?, whole);
    for frames in [0, 1, 1023, 1024, 4097] {
        let stems = separate(&network, &sound[..2 * frames], &options, 2 * 500)?;
        let sums = stems
            .voice
            .iter()
            .zip(&stems.bgm)
            .zip(sound)
            .map(|((v, b), s)| v + b - s);
        assert!(largest(sums) < 1e-5, "{frames} frames");
    }
    let silence = separate(&network, &vec![0.0; 88_200], &options, 4096)?;
    assert_eq!((largest(silence.voice), largest(silence.bgm)), (0.0, 0.0));
    let odd = SeparateOptions {
        overlap_frames: 257,
        ..options
    };
    assert!(separate(&network, sound, &odd, 4096).is_err(), "more than half");
    Ok(())
}

fn engine(home: &Path) -> Engine {
    Engine::open(EngineOptions {
        device: DeviceChoice::Cpu,
        pack: "compact".to_owned(),
        library: None,
        folders: Folders::under(home),
    })
    .expect("the compact pack")
}

fn stem(path: &Path) -> Vec<f32> {
    let mut reader = WavReader::open(path).expect("a stem");
    assert_eq!(reader.format(), AudioFormat::MIX);
    let mut samples = vec![0.0; 2 * reader.frames() as usize];
    reader.read_at(0, &mut samples).expect("samples");
    samples
}

#[test]
fn files_become_stems_as_long_as_they_are() -> Result<()> {
    let home = tempfile::tempdir().expect("a folder");
    let engine = engine(home.path());
    let check_file = |name: &str, what: &Synthetic| -> Result<()> {
        let media = home.path().join(name);
        synthesise(what, &media)?;
        let folder = home.path().join(format!("{name}.stems"));
        let monitor = Monitor::silent();
        let stems = separate_file(&engine, &media, &folder, &SeparateOptions::default(), &monitor)?;
        assert_eq!(stems.voice, folder.join("voice.wav"));
        assert!(
            (stems.duration_s - what.duration_s).abs() < 0.05,
            "{name}: {}",
            stems.duration_s
        );
        let (voice, bgm) = (stem(&stems.voice), stem(&stems.bgm));
        assert_eq!(voice.len(), bgm.len());
        assert_eq!(voice.len(), (stems.duration_s * 44_100.0).round() as usize * 2);
        let sum = largest(voice.iter().zip(&bgm).map(|(v, b)| v + b));
        assert!((0.3..0.7).contains(&sum), "{name}: the tone has a peak of {sum}");
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 2, "{name}");
        Ok(())
    };
    let sound = Synthetic {
        picture: None,
        ..Synthetic::default()
    };
    check_file("film.webm", &Synthetic::default())?;
    check_file(
        "second.wav",
        &Synthetic {
            duration_s: 1.0,
            sample_rate: 22_050,
            channels: 1,
            ..sound.clone()
        },
    )?;
    check_file(
        "surround.wav",
        &Synthetic {
            channels: 6,
            ..sound.clone()
        },
    )?;
    check_file(
        "two_segments.opus",
        &Synthetic {
            duration_s: 13.0,
            ..sound
        },
    )
}

#[test]
fn what_cannot_be_separated_leaves_nothing() -> Result<()> {
    let home = tempfile::tempdir().expect("a folder");
    let engine = engine(home.path());
    let out = home.path().join("stems");
    let options = SeparateOptions::default();

    let silent = home.path().join("silent.mkv");
    let no_sound = Synthetic {
        tone_hz: None,
        ..Synthetic::default()
    };
    synthesise(&no_sound, &silent)?;
    let error = separate_file(&engine, &silent, &out, &options, &Monitor::silent()).expect_err("no sound");
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(error.to_string().contains("has no sound"), "{error}");
    let gone = home.path().join("gone.mp4");
    assert!(separate_file(&engine, &gone, &out, &options, &Monitor::silent()).is_err());

    let media = home.path().join("sound.wav");
    let sound = Synthetic {
        duration_s: 30.0,
        picture: None,
        ..Synthetic::default()
    };
    synthesise(&sound, &media)?;
    let cancel = CancelToken::default();
    let seen = Mutex::new(cancel.clone());
    let monitor = Monitor::new(cancel, move |report| {
        if let Report::Progress {
            fraction: Some(fraction),
            ..
        } = report
            && fraction > 0.0
        {
            seen.lock().expect("the token").cancel();
        }
    });
    let error = separate_file(&engine, &media, &out, &options, &monitor).expect_err("cancelled");
    assert!(error.is_cancelled(), "{error}");
    assert!(!out.exists(), "the folder was ours");
    fs::create_dir(&out).expect("a folder");
    assert!(separate_file(&engine, &media, &out, &options, &monitor).is_err());
    assert_eq!(fs::read_dir(&out).expect("the user's folder").count(), 0);
    assert!(separate_cached(&engine, &media, &monitor).is_err());
    assert!(separate_samples(&engine, &[0.1; 8], &options, &monitor).is_err());
    Ok(())
}

#[test]
fn a_sound_is_separated_once() -> Result<()> {
    let home = tempfile::tempdir().expect("a folder");
    let engine = engine(home.path());
    let media = home.path().join("sound.wav");
    let mut writer = WavWriter::create(&media, AudioFormat::MIX)?;
    writer.write(&reference_sound()[..88_200])?;
    writer.finish()?;

    let monitor = Monitor::silent();
    let first = separate_cached(&engine, &media, &monitor)?;
    assert!(first.voice.starts_with(home.path().join("cache")));
    assert_eq!(first.duration_s, 1.0);
    let written = || {
        fs::metadata(&first.voice)
            .and_then(|stem| stem.modified())
            .expect("a stem")
    };
    let before = written();
    let copy = home.path().join("copy.wav");
    fs::copy(&media, &copy).expect("a copy");
    assert_eq!(separate_cached(&engine, &media, &monitor)?, first);
    assert_eq!(separate_cached(&engine, &copy, &monitor)?, first);
    assert_eq!(written(), before, "the stems were not made anew");

    let voice = stem(&first.voice);
    fs::write(&first.voice, b"RIFF").expect("damage");
    assert_eq!(separate_cached(&engine, &media, &monitor)?, first);
    assert_eq!(stem(&first.voice), voice, "a damaged stem is made anew");

    let mut writer = WavWriter::create(&media, AudioFormat::MIX)?;
    writer.write(&reference_sound()[..88_000])?;
    writer.finish()?;
    assert_ne!(
        separate_cached(&engine, &media, &monitor)?.voice,
        first.voice,
        "other content"
    );
    let folders = fs::read_dir(home.path().join("cache/stems")).expect("the cache");
    assert_eq!(folders.count(), 3, "two sounds and what is known of files");
    Ok(())
}
