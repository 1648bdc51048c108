//! The voices: free synthesisers that the system has, each run as a program of its own, and what a mood does to their
//! sound beyond what they can be told.

use std::path::Path;
use std::process::Command;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::draw::{gaussian, pick};
use super::programs::{is_installed, succeeds};
use super::prosody::Prosody;
use super::sound::{self, Biquad, RATE, active_rms, add_at, gain, noise, samples, scale};
use super::story::{Scene, Telling};
use super::texts;
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::Monitor;
use crate::media::{AudioFormat, decode_audio};
use crate::signal::resample::resample;
use crate::training::corpus::Split;

/// A program that speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Engine {
    /// Formant synthesis, hundreds of voices.
    Espeak,
    /// Units of recorded speech, small.
    Flite,
    /// Diphones of recorded speech.
    Festival,
}

/// A speaker: an engine, its voice, and the split that may hear it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Speaker {
    pub(super) engine: Engine,
    pub(super) name: &'static str,
    split: Split,
    /// How often it is drawn, against the others.
    weight: u32,
}

const fn espeak(name: &'static str, split: Split) -> Speaker {
    Speaker {
        engine: Engine::Espeak,
        name,
        split,
        weight: 1,
    }
}

/// Recorded voices are fewer and more like people, so they are drawn more often.
const fn recorded(engine: Engine, name: &'static str, split: Split, weight: u32) -> Speaker {
    Speaker {
        engine,
        name,
        split,
        weight,
    }
}

/// No person and no variant speaks in two splits: flite's and festival's slt are one person, and so are flite's kal16 and
/// festival's kal_diphone.
const SPEAKERS: &[Speaker] = &[
    espeak("en-us", Split::Train),
    espeak("en-us+m1", Split::Train),
    espeak("en-us+m2", Split::Train),
    espeak("en-us+m3", Split::Train),
    espeak("en-us+m4", Split::Train),
    espeak("en-gb+m6", Split::Train),
    espeak("en-gb-x-rp+m7", Split::Train),
    espeak("en-gb+f1", Split::Train),
    espeak("en-us+f2", Split::Train),
    espeak("en-029+f3", Split::Train),
    espeak("en-us+f5", Split::Train),
    espeak("en-us+Annie", Split::Train),
    espeak("en-us+Alex", Split::Train),
    espeak("en-gb-x-gbclan+Andy", Split::Train),
    espeak("en-us+Gene", Split::Train),
    espeak("en-us+Jacky", Split::Train),
    espeak("en-gb-x-rp+steph", Split::Train),
    espeak("en-us+Michael", Split::Train),
    espeak("en-us+Denis", Split::Train),
    espeak("en-us+linda", Split::Train),
    espeak("en-gb+victor", Split::Train),
    espeak("en-us+adam", Split::Train),
    recorded(Engine::Flite, "slt", Split::Train, 5),
    recorded(Engine::Flite, "awb", Split::Train, 5),
    recorded(Engine::Festival, "cmu_us_slt_arctic_hts", Split::Train, 3),
    espeak("en-gb+Marco", Split::Val),
    espeak("en-us+aunty", Split::Val),
    espeak("en-029+zac", Split::Val),
    espeak("en-gb-scotland+Storm", Split::Val),
    recorded(Engine::Flite, "kal16", Split::Val, 2),
    recorded(Engine::Festival, "kal_diphone", Split::Val, 2),
    espeak("en-gb-scotland+m5", Split::Test),
    espeak("en-gb-scotland+f4", Split::Test),
    espeak("en-gb-x-gbcwmd+m8", Split::Test),
    espeak("en-us+Lee", Split::Test),
    espeak("en-us+belinda", Split::Test),
    espeak("en-us+Mario", Split::Test),
    espeak("en-gb-x-rp+shelby", Split::Test),
    espeak("en-029+caleb", Split::Test),
    espeak("en-us+Alicia", Split::Test),
    espeak("en-gb+paul", Split::Test),
    recorded(Engine::Flite, "rms", Split::Test, 5),
];

impl Engine {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Espeak, Self::Flite, Self::Festival];

    /// Debian's packages with program and voices.
    pub(super) fn packages(self) -> &'static str {
        match self {
            Self::Espeak => "espeak-ng",
            Self::Flite => "flite",
            Self::Festival => "festival festvox-kallpc16k festvox-us-slt-hts",
        }
    }

    fn program(self) -> &'static str {
        match self {
            Self::Espeak => "espeak-ng",
            Self::Flite => "flite",
            Self::Festival => "festival",
        }
    }

    /// Whether its program is installed.
    pub(super) fn is_installed(self) -> bool {
        is_installed(self.program())
    }
}

/// A voice-over's speaker with what is their own for a whole video.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Narrator {
    speaker: Speaker,
    /// Factor of all formants and of the pitch: the size of the person.
    size: f32,
    /// Factors of this person's habits.
    pitch: f32,
    rate: f32,
    pause: f32,
}

impl Narrator {
    /// A narrator of `split` among the installed `engines`.
    pub(super) fn draw(split: Split, engines: &[Engine], rng: &mut ChaCha8Rng) -> Self {
        let able: Vec<Speaker> = SPEAKERS
            .iter()
            .filter(|speaker| speaker.split == split && engines.contains(&speaker.engine))
            .flat_map(|speaker| std::iter::repeat_n(*speaker, speaker.weight as usize))
            .collect();
        Self {
            // espeak-ng is required and speaks in every split.
            speaker: *pick(rng, &able),
            size: rng.random_range(0.88..1.14),
            pitch: rng.random_range(0.9..1.12),
            rate: rng.random_range(0.9..1.1),
            pause: rng.random_range(0.7..1.3),
        }
    }

    /// The speaker, as "espeak-ng en-us+f2".
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.speaker.engine.program(), self.speaker.name)
    }

    /// Speaks `text`: mono at [`RATE`], at a level of its own.
    ///
    /// # Errors
    /// When the program fails.
    fn speak(&self, text: &str, prosody: &Prosody, folder: &Path) -> Result<Vec<f32>> {
        let wave = folder.join("phrase.wav");
        let stretch = f64::from(self.size * prosody.formants);
        // The sample rate moves formants and pitch and tempo together; the last two are given back here.
        let pitch = self.pitch * prosody.pitch / (self.size * prosody.formants).max(0.1);
        let rate = self.rate * prosody.rate / (self.size * prosody.formants).max(0.1);
        let mut command = Command::new(self.speaker.engine.program());
        let mut by_samples = 1.0;
        match self.speaker.engine {
            Engine::Espeak => {
                // 50 is the voice's own pitch; the scale is about 40 steps an octave.
                let pitch = (50.0 + 40.0 * pitch.log2()).clamp(0.0, 99.0) as u32;
                let range = (100.0 * prosody.range).clamp(10.0, 300.0) as u32;
                let words = (165.0 * rate).clamp(90.0, 330.0) as u32;
                let text = format!("<prosody range=\"{range}%\">{text}</prosody>");
                command
                    .args(["-m", "-v", self.speaker.name, "-p", &pitch.to_string(), "-s"])
                    .arg(words.to_string())
                    .arg("-w")
                    .arg(&wave)
                    .arg(text);
            }
            Engine::Flite => {
                by_samples = pitch.clamp(0.6, 1.6);
                let stretch = (by_samples / rate).clamp(0.45, 2.2);
                command
                    .args(["-voice", self.speaker.name, "--setf"])
                    .arg(format!("duration_stretch={stretch:.3}"))
                    .args(["-t", text, "-o"])
                    .arg(&wave);
            }
            Engine::Festival => {
                by_samples = pitch.clamp(0.6, 1.6);
                let stretch = (by_samples / rate).clamp(0.45, 2.2);
                let script = folder.join("phrase.scm");
                let lines = format!(
                    "(voice_{})\n(Parameter.set 'Duration_Stretch {stretch:.3})\n\
                     (utt.save.wave (SynthText \"{text}\") \"{}\" 'riff)\n",
                    self.speaker.name,
                    wave.display()
                );
                std::fs::write(&script, lines).map_err(|source| Error::io(&script, "write", source))?;
                command.arg("-b").arg(script);
            }
        }
        if !succeeds(&mut command) || !wave.exists() {
            return Err(Error::new(
                ErrorKind::Input,
                format!(
                    "{} could not speak with the voice {}; reinstall the packages {}",
                    self.speaker.engine.program(),
                    self.speaker.name,
                    self.speaker.engine.packages()
                ),
            ));
        }
        let format = AudioFormat {
            sample_rate: RATE,
            channels: 1,
        };
        let spoken = decode_audio(&wave, format, 0.0, None, &Monitor::silent())?;
        std::fs::remove_file(&wave).map_err(|source| Error::io(&wave, "remove", source))?;
        let played = f64::from(RATE) * stretch * f64::from(by_samples);
        Ok(trimmed(&resample(
            &spoken,
            (played / 100.0).round() as u32 * 100,
            RATE,
        )))
    }
}

/// Without the silence at both ends.
fn trimmed(sound: &[f32]) -> Vec<f32> {
    let floor = sound.iter().fold(0.0f32, |a, &x| a.max(x.abs())) * 0.02;
    let first = sound.iter().position(|x| x.abs() > floor).unwrap_or(0);
    let last = sound.iter().rposition(|x| x.abs() > floor).unwrap_or(0);
    sound[first..(last + 1).min(sound.len())].to_vec()
}

/// What `prosody` does to a spoken phrase beyond what its engine was told; the result is as loud as prosody asks.
fn coloured(spoken: &[f32], prosody: &Prosody, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let wander = 0.03 * prosody.range.min(2.5);
    let (turns, phase) = (
        rng.random_range(1.0..2.5f32),
        rng.random_range(0.0..std::f32::consts::TAU),
    );
    let slope = prosody.slope;
    let mut sound = sound::bend(spoken, |place| {
        (slope * (place - 0.5) + wander * (std::f32::consts::TAU * turns * place + phase).sin()).exp()
    });
    let level = active_rms(&sound).max(1e-6);
    scale(&mut sound, 0.1 / level);
    if prosody.rough > 0.0 {
        roughen(&mut sound, prosody.rough, rng);
    }
    Biquad::high_shelf(1200.0, prosody.tilt_db).run(&mut sound);
    if prosody.breath > 0.0 {
        breathe(&mut sound, 0.5 * prosody.breath, rng);
    }
    let level = active_rms(&sound).max(1e-6);
    scale(&mut sound, 0.1 * gain(prosody.level_db) / level);
    sound
}

/// Every second glottal pulse weaker, and the throat pressed: a tremor near half the pitch, and soft clipping.
fn roughen(sound: &mut [f32], amount: f32, rng: &mut ChaCha8Rng) {
    let mut hz = rng.random_range(55.0..85.0f32);
    let mut phase = 0.0f32;
    let drive = 1.0 + 9.0 * amount;
    for x in sound.iter_mut() {
        hz = (hz + 0.3 * rng.random_range(-1.0..1.0f32)).clamp(45.0, 95.0);
        phase = (phase + hz / RATE as f32).fract();
        let tremor = 1.0 - 0.45 * amount * (0.5 - 0.5 * (std::f32::consts::TAU * phase).cos());
        *x = (*x * 5.0 * drive).tanh() / drive.sqrt() * tremor * 0.2;
    }
}

/// Air beside the voice: noise above 2 kHz that follows its level, and less of the voice's own brilliance.
fn breathe(sound: &mut [f32], amount: f32, rng: &mut ChaCha8Rng) {
    let mut air = noise(sound.len(), rng);
    Biquad::band_pass(4000.0, 0.5).run(&mut air);
    let mut level = 0.0f32;
    for (x, air) in sound.iter_mut().zip(air) {
        level += 0.004 * (x.abs() - level);
        *x = *x * (1.0 - 0.4 * amount) + air * level * 1.6 * amount;
    }
}

/// How the voice-over was recorded: drawn once for a video, independent of its story.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Recording {
    room_size: f32,
    room_wet: f32,
    shelf_db: f32,
    edge_hz: f32,
    level_db: f32,
}

impl Recording {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        Self {
            room_size: rng.random_range(0.25..0.6),
            room_wet: rng.random_range(0.0..0.25),
            shelf_db: 2.5 * gaussian(rng),
            edge_hz: rng.random_range(7000.0..15_000.0),
            level_db: rng.random_range(-26.0..-18.0),
        }
    }

    /// The microphone's and the editor's part; the level that speech has at last says nothing about the story.
    fn apply(self, sound: &mut [f32]) {
        sound::reverberate(sound, self.room_size, self.room_wet, 0);
        Biquad::high_shelf(3000.0, self.shelf_db).run(sound);
        Biquad::low_pass(self.edge_hz).run(sound);
        let level = active_rms(sound).max(1e-6);
        let factor = gain(self.level_db) / level;
        sound
            .iter_mut()
            .for_each(|x| *x = (*x * factor).clamp(-3.0, 3.0).tanh());
    }
}

/// The voice-over of a video: mono, `duration_s` long, with pauses.
///
/// # Errors
/// When an engine fails; cancelled.
pub(super) fn narrate(
    narrator: &Narrator,
    telling: &Telling,
    split: Split,
    duration_s: f64,
    rng: &mut ChaCha8Rng,
    monitor: &Monitor,
) -> Result<Vec<f32>> {
    let folder = tempfile::tempdir().map_err(|source| Error::io(&std::env::temp_dir(), "write", source))?;
    let mut out = vec![0.0; samples(duration_s)];
    let mut at_s = f64::from(rng.random_range(0.2..2.0f32));
    while at_s < duration_s - 1.0 {
        monitor.check()?;
        let mood = telling.at(at_s);
        let prosody = Prosody::of(mood, rng);
        let scene: Scene = telling.scene;
        let text = texts::sentence(mood, scene, split, rng);
        let spoken = narrator.speak(&text, &prosody, folder.path())?;
        let phrase = coloured(&spoken, &prosody, rng);
        add_at(&mut out, samples(at_s), &phrase, 1.0);
        let pause_s = 0.55 * narrator.pause * prosody.pause * rng.random_range(0.5..1.7f32);
        at_s += phrase.len() as f64 / f64::from(RATE) + f64::from(pause_s);
    }
    Recording::draw(rng).apply(&mut out);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::draw::stream;
    use crate::arena::sound::rms;
    use crate::arena::story::Mood;
    use std::collections::HashMap;

    #[test]
    fn no_voice_speaks_in_two_splits() {
        // espeak-ng's variants are voices whatever the accent; slt and kal are persons whatever the engine.
        let person = |speaker: &Speaker| match speaker.name.split_once('+') {
            Some((_, variant)) => variant.to_lowercase(),
            None => speaker
                .name
                .replace("kal16", "kal_diphone")
                .replace("cmu_us_slt_arctic_hts", "slt"),
        };
        let mut splits = HashMap::new();
        for speaker in SPEAKERS {
            let split = splits.entry(person(speaker)).or_insert(speaker.split);
            assert_eq!(*split, speaker.split, "{}", speaker.name);
        }
    }

    /// A vowel of some kind: a buzz at 120 Hz.
    fn buzz() -> Vec<f32> {
        (0..RATE)
            .map(|i| ((i * 120 / RATE) as f32 - i as f32 * 120.0 / RATE as f32 + 0.5) * 0.2)
            .collect()
    }

    #[test]
    fn an_excited_phrase_is_louder_and_brighter_than_a_calm_one() {
        let mut rng = stream(0, "colour");
        let spoken = buzz();
        let mut measured = |arousal: f32| {
            let mood = Mood {
                valence: 0.2,
                arousal,
            };
            let prosody = Prosody::of(mood, &mut rng);
            let sound = coloured(&spoken, &prosody, &mut rng);
            let mut high = sound.clone();
            Biquad::high_shelf(2000.0, -40.0).run(&mut high);
            (rms(&sound), rms(&high) / rms(&sound))
        };
        let (calm, excited) = (measured(-0.8), measured(0.8));
        assert!(excited.0 > 1.8 * calm.0, "{calm:?} {excited:?}");
        assert!(excited.1 < calm.1, "{calm:?} {excited:?}");
    }

    #[test]
    fn a_narration_fills_its_time_at_a_level_that_says_nothing() -> Result<()> {
        if !Engine::Espeak.is_installed() {
            eprintln!("skipped: espeak-ng is not installed");
            return Ok(());
        }
        let level = |arousal: f32, seed: u64| -> Result<f32> {
            let mut rng = stream(seed, "narration");
            let telling = Telling {
                scene: Scene::Market,
                path: vec![Mood {
                    valence: 0.0,
                    arousal,
                }],
                shift_s: 0.0,
                before_s: 0.0,
            };
            let narrator = Narrator::draw(Split::Train, &[Engine::Espeak], &mut rng);
            let voice = narrate(
                &narrator,
                &telling,
                Split::Train,
                8.0,
                &mut rng,
                &Monitor::silent(),
            )?;
            assert_eq!(voice.len(), samples(8.0));
            Ok(20.0 * active_rms(&voice).log10())
        };
        for seed in 0..3 {
            for arousal in [-0.9, 0.9] {
                let db = level(arousal, seed)?;
                assert!((-28.0..-16.0).contains(&db), "{db}");
            }
        }
        Ok(())
    }
}
