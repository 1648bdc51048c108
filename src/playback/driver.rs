//! The two threads behind a player: one opens devices and watches them, one is the silent clock and sweeps up.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::Builder;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select};

use super::RATE;
use super::device::{Feed, Lost, Opened};
use super::player::OutputStatus;
use super::transport::{Discard, Shared, Transport, locked};

/// The silent clock pulls this much at a time: 10 ms.
const TICK_FRAMES: usize = RATE as usize / 100;
const TICK: Duration = Duration::from_millis(10);
/// Time that the silent clock makes up for after the machine was busy; more is let go.
const MOST_CATCHING_UP_TICKS: u64 = 25;
/// Both threads look this often whether they are still wanted.
const LOOK: Duration = Duration::from_millis(250);
/// A device that takes nothing for so long is lost, though it does not say so.
const STALL: Duration = Duration::from_secs(2);
/// A device that takes more than this many times real time is a hole and no clock.
const FASTEST: f64 = 3.0;

/// Opens a device and lets it play a feed.
pub(super) type Open = Box<dyn FnMut(Feed, Sender<Lost>) -> Result<Opened, String> + Send>;

/// How long to wait for a device between two tries: doubling, since each try may write to the terminal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) first: Duration,
    pub(super) longest: Duration,
}

/// What the player holds of its threads. Dropping it ends them, in their own time.
pub(super) struct Driver {
    pub(super) shared: Arc<Shared>,
    status: Arc<Mutex<OutputStatus>>,
    wake: Sender<()>,
    quit: Arc<AtomicBool>,
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.quit.store(true, Ordering::Release);
        self.wake();
    }
}

impl Driver {
    /// Starts the silent clock, which shows every block to `tap`, and, with `open`, the search for a device.
    pub(super) fn start(
        open: Option<Open>,
        patience: Patience,
        tap: Box<dyn FnMut(&[f32]) + Send>,
        reason: &str,
    ) -> Self {
        let shared = Arc::new(Shared::new());
        let (discards, discarded) = bounded(32);
        let (wake, woken) = bounded(1);
        let transport = Arc::new(Mutex::new(Transport::new(Arc::clone(&shared), discards)));
        let driver = Self {
            shared: Arc::clone(&shared),
            status: Arc::new(Mutex::new(OutputStatus::Silent(reason.to_owned()))),
            wake,
            quit: Arc::new(AtomicBool::new(false)),
        };
        let silent = SilentClock {
            shared: Arc::clone(&shared),
            transport: Arc::clone(&transport),
            woken,
            discarded,
            quit: Arc::clone(&driver.quit),
            tap,
        };
        let search = open.map(|open| Search {
            open,
            patience,
            shared,
            transport,
            status: Arc::clone(&driver.status),
            wake: driver.wake.clone(),
            quit: Arc::clone(&driver.quit),
            number: 0,
        });
        let mut started = Builder::new()
            .name("silent clock".to_owned())
            .spawn(move || silent.run())
            .map(drop);
        if let (Ok(()), Some(search)) = (&started, search) {
            started = Builder::new()
                .name("sound output".to_owned())
                .spawn(move || search.run())
                .map(drop);
        }
        if let Err(error) = started {
            let reason = format!("the system refused a thread for sound ({error}); close other programs");
            *locked(&driver.status) = OutputStatus::Silent(reason);
        }
        driver
    }

    /// Lets the silent clock look at new orders at once.
    pub(super) fn wake(&self) {
        // Full means that it is about to look anyway.
        let _ = self.wake.try_send(());
    }

    pub(super) fn status(&self) -> OutputStatus {
        locked(&self.status).clone()
    }
}

/// Pulls the graph in real time while no device does, and drops what pulling leaves behind.
struct SilentClock {
    shared: Arc<Shared>,
    transport: Arc<Mutex<Transport>>,
    woken: Receiver<()>,
    discarded: Receiver<Discard>,
    quit: Arc<AtomicBool>,
    tap: Box<dyn FnMut(&[f32]) + Send>,
}

impl SilentClock {
    fn run(mut self) {
        let mut started = Instant::now();
        let mut ticks = 0u64;
        while !self.quit.load(Ordering::Acquire) {
            let ticking = self.shared.driver() == 0 && self.tick();
            if !ticking {
                (started, ticks) = (Instant::now(), 0);
                self.wait(LOOK);
                continue;
            }
            ticks += 1;
            let due = started + TICK * ticks as u32;
            let now = Instant::now();
            if due > now {
                self.wait(due - now);
            } else if now - due > TICK * MOST_CATCHING_UP_TICKS as u32 {
                (started, ticks) = (now, 0);
            }
        }
    }

    /// Pulls one block; whether time passes.
    fn tick(&mut self) -> bool {
        let mut block = [0.0; 2 * TICK_FRAMES];
        let mut transport = locked(&self.transport);
        transport.pull(&mut block);
        let playing = transport.is_playing();
        drop(transport);
        (self.tap)(&block);
        playing
    }

    /// Waits until `limit` has passed, or until an order comes while time stands still.
    fn wait(&self, limit: Duration) {
        let until = Instant::now() + limit;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            select! {
                recv(self.woken) -> _ => if limit == LOOK { return },
                recv(self.discarded) -> discard => drop(discard),
                default(left) => return,
            }
        }
    }
}

/// Keeps a device open, and looks for another when it is lost.
struct Search {
    open: Open,
    patience: Patience,
    shared: Arc<Shared>,
    transport: Arc<Mutex<Transport>>,
    status: Arc<Mutex<OutputStatus>>,
    wake: Sender<()>,
    quit: Arc<AtomicBool>,
    /// Of the last driver.
    number: u64,
}

impl Search {
    fn run(mut self) {
        let mut pause = self.patience.first;
        while !self.quit.load(Ordering::Acquire) {
            let opened_at = Instant::now();
            let reason = match self.try_open() {
                Ok((opened, lost, taken)) => {
                    let reason = self.watch(&lost, &taken);
                    self.take_over(0, 0.0);
                    drop(opened);
                    format!("{reason}; looking for another sound output")
                }
                Err(reason) => format!("{reason}; plug one in, or go on without sound"),
            };
            tracing::info!("no sound: {reason}");
            *locked(&self.status) = OutputStatus::Silent(reason);
            if opened_at.elapsed() > 2 * self.patience.first {
                // It worked: the stream is rebuilt at once.
                pause = self.patience.first;
            } else {
                self.rest(pause);
                pause = (pause * 2).min(self.patience.longest);
            }
        }
    }

    fn try_open(&mut self) -> Result<(Opened, Receiver<Lost>, Arc<AtomicU64>), String> {
        self.number += 1;
        let taken = Arc::new(AtomicU64::new(0));
        let feed = Feed::new(
            self.number,
            Arc::clone(&self.shared),
            Arc::clone(&self.transport),
            Arc::clone(&taken),
        );
        let (lost, losses) = bounded(1);
        let opened = (self.open)(feed, lost)?;
        self.take_over(self.number, opened.latency_frames);
        tracing::info!("sound goes to {}", opened.name);
        *locked(&self.status) = OutputStatus::Device(opened.name.clone());
        Ok((opened, losses, taken))
    }

    /// Hands the transport to another driver.
    fn take_over(&self, driver: u64, latency_frames: f64) {
        self.shared.set_driver(driver);
        locked(&self.transport).set_latency_frames(latency_frames);
        let _ = self.wake.try_send(());
    }

    /// Returns when the device fails, stands still, or does not keep time: why.
    fn watch(&self, losses: &Receiver<Lost>, taken: &AtomicU64) -> String {
        let mut since = Instant::now();
        let mut before = taken.load(Ordering::Relaxed);
        while !self.quit.load(Ordering::Acquire) {
            match losses.recv_timeout(LOOK) {
                Ok((_, reason)) => {
                    tracing::info!("the sound output failed: {reason}");
                    return "the sound output was lost".to_owned();
                }
                // A device whose callback is gone has gone itself.
                Err(RecvTimeoutError::Disconnected) => return "the sound output was lost".to_owned(),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if since.elapsed() < STALL {
                continue;
            }
            let now = taken.load(Ordering::Relaxed);
            let speed = (now - before) as f64 / (since.elapsed().as_secs_f64() * f64::from(RATE));
            if now == before {
                return "the sound output stands still".to_owned();
            }
            if speed > FASTEST {
                return "the sound output does not keep time".to_owned();
            }
            (since, before) = (Instant::now(), now);
        }
        String::new()
    }

    /// Waits, but not longer than the player lives.
    fn rest(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while !self.quit.load(Ordering::Acquire) {
            let Some(left) = until.checked_duration_since(Instant::now()) else {
                return;
            };
            std::thread::sleep(left.min(LOOK));
        }
    }
}
