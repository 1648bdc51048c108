//! How long a key press takes to be heard, a frame to be drawn and a moved balance to be answered, with a library of 10,000
//! tracks of four windows each.
//!
//! `cargo bench --bench window`. Prints and judges nothing: figures depend on the machine. A key press falls at a
//! random moment between two frames of 60 a second, as in a real window; the sound counts as heard when the first block of
//! 10 ms in which the new track is louder than the old one leaves the mixer. A sound device adds its own buffer, which
//! is not part of these figures; neither is what a graphics driver needs to paint the triangles.

#![allow(clippy::print_stdout, reason = "figures on stdout are what it is for")]

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use eframe::egui::accesskit::Toggled;
use eframe::egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

use undertone::app::{App, Choices, Launch, Sound};
use undertone::device::DeviceChoice;
use undertone::engine::embed::VoiceSource;
use undertone::engine::suggest::{SuggestRequest, suggest};
use undertone::engine::{Engine, EngineOptions, program_folder};
use undertone::error::{Error, Result};
use undertone::jobs::Monitor;
use undertone::library::{Library, StoredWindow, Track, TrackId, TrackRecord};
use undertone::media::{AudioFormat, WavWriter};
use undertone::settings::Folders;
use undertone::signal::features::Description;

const TRACKS: usize = 10_000;
const TONES: usize = 8;
const TRACK_S: f64 = 60.0;
const WINDOWS: usize = 4;
const SWITCHES: usize = 40;
const FRAME: Duration = Duration::from_nanos(16_666_667);
const PATIENCE: Duration = Duration::from_mins(4);

type Window = Harness<'static, App>;
/// The last blocks that left the mixer, and when.
type Heard = Arc<Mutex<Vec<(Instant, Vec<f32>)>>>;

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let home = tempfile::tempdir()?;
    let folders = Folders::under(home.path());
    println!("making a library of {TRACKS} tracks");
    make_library(&folders, home.path())?;

    let clip = program_folder("assets")
        .map(|assets| assets.join("demo").join("arena_clip.webm"))
        .ok_or("the demo did not come with this program")?;
    balances(&folders, &clip)?;

    let heard = Heard::default();
    let listener = Arc::clone(&heard);
    let launch = Launch {
        folders,
        media: Some(clip),
        demo: false,
        choices: Choices::default(),
        sound: Sound::Listener(Arc::new(move |block| {
            let mut heard = listener.lock().unwrap_or_else(PoisonError::into_inner);
            heard.push((Instant::now(), block.to_vec()));
        })),
        reopen: false,
    };
    let mut window: Window = Harness::builder()
        .with_size([1920.0, 1080.0])
        .build_eframe(move |cc| App::new(&cc.egui_ctx, launch));
    let shows = |window: &Window, text: &str| window.query_all_by_label_contains(text).next().is_some();
    until(&mut window, |window| {
        shows(window, ", score ") && shows(window, "10,000 tracks")
    })?;
    until(&mut window, |window| {
        shows(window, "Ready") && !shows(window, "Separating")
    })?;

    // The music alone, so that a block is one tone.
    press(&mut window, Key::V);
    press(&mut window, Key::ArrowDown);
    rest(&mut window, Duration::from_secs(3));
    frames(&mut window);
    switches(
        &mut window,
        &heard,
        "a switch to a neighbour, while the list rests between two",
        700,
    );
    switches(&mut window, &heard, "a switch to a neighbour, five a second", 200);
    Ok(())
}

/// How long an answer takes: the first, another balance, and the first after a new start.
fn balances(folders: &Folders, clip: &Path) -> Result<()> {
    let ask = |engine: &Engine, balance: f64| {
        let request = SuggestRequest {
            media: clip.to_owned(),
            top: 10,
            start_s: 0.0,
            voice: VoiceSource::Separated,
            balance,
            tags: Vec::new(),
            text: None,
        };
        let began = Instant::now();
        suggest(engine, &request, &Monitor::silent()).map(|_| began.elapsed())
    };
    let engine = open_engine(folders)?;
    report("the first answer for a clip", vec![ask(&engine, 0.0)?]);
    let others: Result<Vec<Duration>> = (1..=40).map(|at| ask(&engine, f64::from(at) / 50.0)).collect();
    report("the answer for another balance", others?);
    report(
        "the first answer of another start",
        vec![ask(&open_engine(folders)?, 0.3)?],
    );
    Ok(())
}

fn open_engine(folders: &Folders) -> Result<Engine> {
    Engine::open(EngineOptions {
        device: DeviceChoice::Cpu,
        pack: "compact".to_owned(),
        library: None,
        folders: folders.clone(),
    })
}

/// CPU time of a frame while the clip plays.
fn frames(window: &mut Window) {
    let (mut ui, mut triangles) = (Vec::new(), Vec::new());
    for _ in 0..240 {
        let began = Instant::now();
        window.step();
        let drawn = Instant::now();
        let shapes = window.output().shapes.clone();
        let copied = Instant::now();
        window.ctx.tessellate(shapes, 1.0);
        ui.push(drawn - began);
        triangles.push(copied.elapsed());
        std::thread::sleep(FRAME.saturating_sub(began.elapsed()));
    }
    report("a frame at 1920 x 1080 while playing: logic and layout", ui);
    report("a frame at 1920 x 1080 while playing: triangles", triangles);
}

/// Presses down and up in turns and waits for the other tone.
fn switches(window: &mut Window, heard: &Heard, what: &str, pause_ms: u64) {
    let mut times = Vec::new();
    let mut unheard = 0;
    let mut down = true;
    for at in 0..SWITCHES {
        if at % 9 == 8 {
            down = !down;
        }
        let old = tone(window);
        // The moment between two frames.
        std::thread::sleep(FRAME * (at * 7 % 10) as u32 / 10);
        heard.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let pressed = Instant::now();
        std::thread::sleep(FRAME * ((at * 3) % 10) as u32 / 10);
        window.key_press(if down { Key::ArrowDown } else { Key::ArrowUp });
        window.step();
        let (Some(old), Some(new)) = (old, tone(window)) else {
            continue;
        };
        let mut due = Instant::now() + FRAME;
        let found = loop {
            let found = heard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .iter()
                .find(|(_, block)| power(block, new) > power(block, old).max(1e-9))
                .map(|(time, _)| *time);
            if found.is_some() || pressed.elapsed() > Duration::from_secs(2) {
                break found;
            }
            if Instant::now() >= due {
                window.step();
                due += FRAME;
            }
            std::thread::sleep(Duration::from_micros(300));
        };
        match found {
            _ if new == old => {}
            Some(time) => times.push(time - pressed),
            None => unheard += 1,
        }
        rest(window, Duration::from_millis(pause_ms));
    }
    report(what, times);
    if unheard > 0 {
        println!("  {unheard} were not heard within two seconds");
    }
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: f64| {
        let index = ((times.len().max(1) - 1) as f64 * part).round() as usize;
        times.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    };
    println!(
        "{what}: median {:.1} ms, 95 % {:.1} ms, worst {:.1} ms ({} times)",
        at(0.5),
        at(0.95),
        at(1.0),
        times.len()
    );
}

/// The number of the tone that the selected suggestion plays.
fn tone(window: &Window) -> Option<usize> {
    let label = window
        .query_all_by_label_contains(", score ")
        .find(|row| row.accesskit_node().toggled() == Some(Toggled::True))?
        .accesskit_node()
        .label()?;
    let number = label.split("Tone ").nth(1)?.chars().next()?.to_digit(10)?;
    Some(number as usize)
}

fn frequency(tone: usize) -> f64 {
    400.0 * (tone + 1) as f64
}

/// Goertzel's algorithm on the left channel: whole cycles of each tone fill a block.
fn power(block: &[f32], tone: usize) -> f64 {
    let step = std::f64::consts::TAU * frequency(tone) / 44_100.0;
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (at, sample) in block.iter().step_by(2).enumerate() {
        real += f64::from(*sample) * (step * at as f64).cos();
        imaginary += f64::from(*sample) * (step * at as f64).sin();
    }
    real.hypot(imaginary)
}

fn press(window: &mut Window, key: Key) {
    window.key_press_modifiers(Modifiers::NONE, key);
    window.step();
    window.step();
}

fn rest(window: &mut Window, time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        window.step();
        std::thread::sleep(FRAME);
    }
}

fn until(window: &mut Window, done: impl Fn(&Window) -> bool) -> std::result::Result<(), &'static str> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        window.step();
        if done(window) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err("the window did not get there within four minutes");
        }
        std::thread::sleep(FRAME);
    }
}

/// Tones under ten thousand names, embedded at random.
fn make_library(folders: &Folders, home: &Path) -> Result<()> {
    let engine = open_engine(folders)?;
    let width = engine.mrcmv()?.config().d_e;
    let music = home.join("music");
    Folders::ensure(&music)?;
    let tones: Vec<_> = (0..TONES)
        .map(|tone| music.join(format!("tone{tone}.wav")))
        .collect();
    for (tone, path) in tones.iter().enumerate() {
        write_tone(path, frequency(tone))?;
    }
    let library = Library::open(&folders.library())?;
    let mut random = 88_172_645_463_325_252_u64;
    let mut noise = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 40) as f32 / 16_777_216.0 - 0.5
    };
    for number in 0..TRACKS {
        let tone = number % TONES;
        let path = music.join(format!("{number:05}.wav"));
        fs::hard_link(&tones[tone], &path).map_err(|source| Error::io(&path, "write", source))?;
        let metadata = fs::metadata(&path).map_err(|source| Error::io(&path, "read", source))?;
        let windows = (0..WINDOWS).map(|window| StoredWindow {
            start_s: 8.0 * window as f64,
            vggish: Vec::new(),
            embedding: (0..width).map(|_| noise()).collect(),
        });
        library.put(&TrackRecord {
            track: Track {
                id: TrackId(0),
                path,
                title: format!("Tone {tone} number {number}"),
                artist: Some("A generator".to_owned()),
                tags: vec!["tone".to_owned()],
                licence: None,
                duration_s: TRACK_S,
                loudness_lufs: Some(-18.0),
                description: Description::default(),
                has_vocals: false,
                peaks: (0..400).map(|at| (at * 7 % 200) as u8).collect(),
                favourite: false,
                hidden: false,
                missing: false,
                problem: None,
            },
            size: metadata.len(),
            modified_ns: 0,
            windows: windows.collect(),
            embedding_id: engine.pack().embedding_id(),
            songs: "auto".to_owned(),
        })?;
    }
    Ok(())
}

fn write_tone(path: &Path, frequency: f64) -> Result<()> {
    let rate = f64::from(AudioFormat::MIX.sample_rate);
    let step = std::f64::consts::TAU * frequency / rate;
    let samples: Vec<f32> = (0..(TRACK_S * rate) as usize)
        .flat_map(|at| [0.25 * (step * at as f64).sin() as f32; 2])
        .collect();
    let mut writer = WavWriter::create(path, AudioFormat::MIX)?;
    writer.write(&samples)?;
    writer.finish()
}
