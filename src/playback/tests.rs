//! The player without a sound device: what is pulled, when, and what the clock says.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::Builder;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::device::{Feed, Lost, Opened};
use super::driver::{Open, Patience};
use super::player::{OutputStatus, Player};
use super::transport::{Discard, Orders, Shared, Transport, locked};
use crate::mix::{MemorySource, MixGraph, MixSettings, SampleSource, Silence};

const RATE: usize = super::RATE as usize;

fn tone(frames: usize, hz: f32) -> Vec<f32> {
    (0..frames)
        .flat_map(|frame| [(frame as f32 * hz / RATE as f32 * std::f32::consts::TAU).sin() * 0.4; 2])
        .collect()
}

fn source(samples: Vec<f32>) -> Box<dyn SampleSource> {
    Box::new(MemorySource::new(samples.into()))
}

/// Voice and candidate over `frames`.
fn graph(frames: usize) -> MixGraph {
    let levels = vec![0.2; frames / (RATE / 100)];
    let mut graph = MixGraph::new(
        source(tone(frames, 220.0)),
        Box::new(Silence::new(frames as u64)),
        levels,
    );
    graph.set_candidate(Some(source(tone(frames, 333.0))));
    graph.set_settings(MixSettings {
        master_gain_db: 6.0,
        ..MixSettings::default()
    });
    graph
}

fn offline(frames: usize) -> Vec<f32> {
    let mut samples = vec![0.0; 2 * frames];
    graph(frames).render(0, &mut samples);
    samples
}

/// A transport without threads, and its mailbox.
struct Bench {
    shared: Arc<Shared>,
    transport: Transport,
    discarded: Receiver<Discard>,
}

impl Bench {
    fn new() -> Self {
        let shared = Arc::new(Shared::new());
        let (discards, discarded) = bounded(4);
        let transport = Transport::new(Arc::clone(&shared), discards);
        Self {
            shared,
            transport,
            discarded,
        }
    }

    fn with_clip(frames: usize) -> Self {
        let bench = Self::new();
        bench.order(|orders| orders.graph = Some(Some(Box::new(graph(frames)))));
        bench
    }

    fn order(&self, write: impl FnOnce(&mut Orders)) {
        let mut orders = locked(&self.shared.orders);
        orders.epoch += 1;
        write(&mut orders);
    }

    fn pull(&mut self, frames: usize) -> Vec<f32> {
        let mut block = vec![f32::NAN; 2 * frames];
        self.transport.pull(&mut block);
        block
    }

    fn frame(&self) -> f64 {
        // Far ahead, the clock stands where pulling stopped.
        locked(&self.shared.clock).frame(Instant::now() + Duration::from_hours(1))
    }
}

#[test]
fn what_is_pulled_is_what_an_export_renders() {
    let mut bench = Bench::with_clip(RATE);
    assert!(bench.pull(300).iter().all(|&sample| sample == 0.0), "paused");
    bench.order(|orders| orders.playing = Some(true));
    let mut pulled = Vec::new();
    for frames in [441, 1, 512, 7, 5000].into_iter().cycle() {
        if pulled.len() >= 2 * RATE {
            break;
        }
        pulled.extend(bench.pull(frames));
    }
    assert_eq!(pulled[..2 * RATE], offline(RATE));
    assert!(!bench.transport.is_playing(), "stopped at the end");
    assert_eq!(bench.frame(), RATE as f64);
}

#[test]
fn seeks_pauses_and_the_end_do_not_click() {
    let mut bench = Bench::with_clip(RATE);
    bench.order(|orders| orders.playing = Some(true));
    let mut pulled = bench.pull(3000);
    bench.order(|orders| orders.seek_frame = Some(30_017));
    pulled.extend(bench.pull(2000));
    bench.order(|orders| orders.playing = Some(false));
    pulled.extend(bench.pull(2000));
    bench.order(|orders| orders.playing = Some(true));
    pulled.extend(bench.pull(2000));
    bench.order(|orders| orders.graph = Some(None));
    pulled.extend(bench.pull(2000));
    let steepest = pulled
        .windows(3)
        .map(|three| (three[2] - three[0]).abs())
        .fold(0.0, f32::max);
    assert!(steepest < 0.1, "a jump of {steepest} in sound that moves by 0.06");
    assert!(
        matches!(bench.discarded.try_recv(), Ok(Discard::Graph(_))),
        "dropped elsewhere"
    );
    assert_eq!(pulled[2 * 3300..2 * 5000], offline(RATE)[2 * 30_317..2 * 32_017]);
}

#[test]
fn the_candidate_changes_under_a_running_clock() {
    let mut bench = Bench::with_clip(RATE);
    bench.order(|orders| orders.playing = Some(true));
    bench.pull(1000);
    {
        let mut orders = locked(&bench.shared.orders);
        orders.candidate = Some(None);
        orders.settings = Some(MixSettings::default());
    }
    bench.pull(4000);
    assert_eq!(bench.frame(), 5000.0);
    bench.shared.take_levels();
    let pulled = bench.pull(100);
    assert_eq!(pulled, tone(RATE, 220.0)[10_000..10_200]);
    let levels = bench.shared.take_levels();
    assert!(
        levels[0] > 0.1 && levels[2] == 0.0 && levels[3] > 0.1,
        "{levels:?}"
    );
    assert!(matches!(bench.discarded.try_recv(), Ok(Discard::Source(_))));
}

#[test]
fn winding_moves_the_clock_without_sound() {
    let mut bench = Bench::with_clip(RATE);
    bench.order(|orders| {
        orders.playing = Some(true);
        orders.rate = Some(2.0);
    });
    assert!(bench.pull(10_000).iter().all(|&sample| sample == 0.0));
    assert_eq!(bench.frame(), 20_000.0);
    bench.order(|orders| orders.rate = Some(-0.25));
    bench.pull(10_000);
    assert_eq!(bench.frame(), 17_500.0);
    bench.order(|orders| orders.rate = Some(-4.0));
    bench.pull(10_000);
    assert_eq!(bench.frame(), 0.0);
    assert!(!bench.transport.is_playing(), "stopped at the start");
    bench.order(|orders| {
        orders.playing = Some(true);
        orders.rate = Some(4.0);
    });
    bench.pull(20_000);
    assert_eq!(bench.frame(), RATE as f64);
    assert!(!bench.transport.is_playing(), "stopped at the end");
}

#[test]
fn the_volume_is_not_part_of_the_mix() {
    let mut bench = Bench::with_clip(RATE);
    bench.shared.set_volume(0.5);
    bench.order(|orders| orders.playing = Some(true));
    bench.pull(1000);
    let heard = bench.pull(1000);
    let mix = offline(RATE);
    assert!(
        heard
            .iter()
            .zip(&mix[2000..])
            .all(|(heard, mix)| *heard == mix * 0.5)
    );
    assert!(bench.shared.take_levels()[3] > 0.6, "meters show the mix");
}

#[test]
fn rodios_mixer_passes_the_graph_on_as_it_is() {
    let shared = Arc::new(Shared::new());
    let (discards, _discarded) = bounded(4);
    let transport = Arc::new(Mutex::new(Transport::new(Arc::clone(&shared), discards)));
    let feed = Feed::new(7, Arc::clone(&shared), transport, Arc::new(AtomicU64::new(0)));
    let (mixer, mut mixed) = rodio::mixer::mixer(rodio::nz!(2), rodio::nz!(44_100));
    mixer.add(feed);
    {
        let mut orders = locked(&shared.orders);
        orders.graph = Some(Some(Box::new(graph(RATE / 2))));
        orders.playing = Some(true);
    }
    let silent: Vec<f32> = mixed.by_ref().take(1024).collect();
    assert!(silent.iter().all(|&sample| sample == 0.0), "another driver pulls");
    shared.set_driver(7);
    let heard: Vec<f32> = mixed.take(RATE).collect();
    assert_eq!(heard, offline(RATE / 2));
}

/// Waits for what will come, without a claim about when.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn the_silent_player_plays_what_an_export_renders() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let tap = Arc::clone(&heard);
    let mut player = Player::with(
        None,
        Patience {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(1),
        },
        Box::new(move |block| locked(&tap).extend_from_slice(block)),
        "a test",
    );
    let frames = RATE / 3;
    player.load(graph(frames));
    assert!((player.duration_s() - 1.0 / 3.0).abs() < 1e-4);
    assert_eq!((player.position_s(), player.is_playing()), (0.0, false));
    player.set_playing(true);
    assert!(player.is_playing(), "at once");
    let mut last = 0.0;
    eventually("the end", || {
        let now = player.position_s();
        assert!(now >= last || !player.is_playing(), "{now} after {last}");
        last = now;
        !player.is_playing()
    });
    assert!((player.position_s() - player.duration_s()).abs() < 1e-9);
    assert!(player.take_levels()[3] > 0.5);
    let heard = std::mem::take(&mut *locked(&heard));
    let start = heard.iter().position(|&sample| sample != 0.0).expect("sound");
    let expected = offline(frames);
    let first = expected.iter().position(|&sample| sample != 0.0).expect("sound");
    assert_eq!(
        heard[start - first..][..expected.len()],
        expected,
        "sample for sample"
    );

    player.set_playing(true);
    assert!(player.position_s() < 0.2, "play at the end starts anew");
    player.seek(0.2);
    assert!((player.position_s() - 0.2).abs() < 1e-4, "at once");
    player.set_playing(false);
    player.unload();
    assert_eq!(
        (player.duration_s(), player.position_s(), player.is_playing()),
        (0.0, 0.0, false)
    );
    player.set_playing(true);
    assert!(!player.is_playing(), "there is nothing to play");
    assert!(matches!(player.output(), OutputStatus::Silent(_)));
}

#[test]
fn orders_are_obeyed_though_they_come_all_at_once() {
    let mut player = Player::silent();
    player.load(graph(RATE * 100));
    player.seek(50.0);
    player.set_rate(1.0);
    player.set_playing(true);
    player.set_candidate(None);
    player.set_settings(MixSettings::default());
    player.set_volume_db(-80.0);
    assert!(player.is_playing());
    eventually("time passes", || player.position_s() > 50.05);
    player.load(graph(RATE));
    assert_eq!((player.position_s(), player.is_playing()), (0.0, false));
    eventually("the clip is in", || !player.is_playing());
    assert_eq!(player.position_s(), 0.0);
}

#[test]
fn a_player_can_be_sent_to_another_thread() {
    fn sendable<T: Send>(_: &T) {}
    sendable(&Player::silent());
}

/// A device that a test can pull out: it takes 10 ms every 10 ms or so.
struct Plug {
    out: Arc<AtomicBool>,
}

impl Drop for Plug {
    fn drop(&mut self) {
        self.out.store(true, Ordering::Release);
    }
}

fn plug_in(mut feed: Feed, lost: Sender<Lost>, pulled: &Arc<AtomicBool>, loses: bool) -> Opened {
    let out = Arc::new(AtomicBool::new(false));
    let (gone, pulled) = (Arc::clone(&out), Arc::clone(pulled));
    Builder::new()
        .spawn(move || {
            while !gone.load(Ordering::Acquire) {
                if loses && pulled.load(Ordering::Acquire) {
                    // A lost device calls its error callback without end.
                    let _ = lost.try_send((1, "unplugged".to_owned()));
                } else {
                    feed.by_ref().take(2 * RATE / 100).for_each(drop);
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        })
        .expect("a thread");
    Opened {
        name: "plug".to_owned(),
        latency_frames: 0.0,
        stream: Box::new(Plug { out }),
    }
}

#[test]
fn a_device_is_awaited_lost_and_found_again_while_time_goes_on() {
    let unplugged = Arc::new(AtomicBool::new(false));
    let lost = Arc::clone(&unplugged);
    let mut tries = 0;
    let open: Open = Box::new(move |feed, losses| {
        tries += 1;
        match tries {
            1 => Err("the system has no sound output".to_owned()),
            2 => Ok(plug_in(feed, losses, &lost, true)),
            _ => Ok(Opened {
                name: "second plug".to_owned(),
                ..plug_in(feed, losses, &lost, false)
            }),
        }
    });
    let patience = Patience {
        first: Duration::from_millis(50),
        longest: Duration::from_millis(100),
    };
    let mut player = Player::with(Some(open), patience, Box::new(|_| {}), "a test");
    player.load(graph(RATE * 600));
    player.set_playing(true);
    let is = |player: &mut Player, name: &str| player.output() == OutputStatus::Device(name.to_owned());
    eventually("the silent clock", || player.position_s() > 0.02);
    eventually("the first device", || is(&mut player, "plug"));
    let before = player.position_s();
    eventually("its clock", || player.position_s() > before + 0.05);
    unplugged.store(true, Ordering::Release);
    eventually("the second device", || is(&mut player, "second plug"));
    let before = player.position_s();
    eventually("its clock", || player.position_s() > before + 0.05);
    assert!(player.is_playing());
}
