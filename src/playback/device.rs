//! The sound device: rodio's mixer with one source, the transport.

use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

use crossbeam_channel::Sender;
use rodio::cpal::BufferSize;
use rodio::cpal::traits::{DeviceTrait, HostTrait};
use rodio::{CpalError, CpalErrorKind, DeviceSinkBuilder, MixerDeviceSink, Source};

use super::RATE;
use super::transport::{Shared, Transport};

/// Frames of a period: 23 ms, so that another candidate is heard within two periods.
const PERIOD_FRAMES: u32 = 1024;
/// Frames pulled from the transport at a time.
const BLOCK_FRAMES: usize = 512;

const CHANNELS: NonZero<u16> = rodio::nz!(2);
const SAMPLE_RATE: NonZero<u32> = rodio::nz!(44_100);
const _: () = assert!(SAMPLE_RATE.get() == RATE);

/// A device's word that it cannot go on, with the number of the driver it belonged to.
pub(super) type Lost = (u64, String);

/// The transport as a source without end. Gives silence while another driver pulls.
pub(super) struct Feed {
    driver: u64,
    shared: Arc<Shared>,
    transport: Arc<Mutex<Transport>>,
    /// Frames that the device has taken, silence included.
    taken: Arc<AtomicU64>,
    block: [f32; 2 * BLOCK_FRAMES],
    at: usize,
}

impl Feed {
    pub(super) fn new(
        driver: u64,
        shared: Arc<Shared>,
        transport: Arc<Mutex<Transport>>,
        taken: Arc<AtomicU64>,
    ) -> Self {
        Self {
            driver,
            shared,
            transport,
            taken,
            block: [0.0; 2 * BLOCK_FRAMES],
            at: 2 * BLOCK_FRAMES,
        }
    }

    fn refill(&mut self) {
        self.at = 0;
        self.taken.fetch_add(BLOCK_FRAMES as u64, Ordering::Relaxed);
        if self.shared.driver() != self.driver {
            self.block.fill(0.0);
            return;
        }
        // Only in the moment of taking over does somebody else hold the lock.
        match self.transport.try_lock() {
            Ok(mut transport) => transport.pull(&mut self.block),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().pull(&mut self.block),
            Err(TryLockError::WouldBlock) => self.block.fill(0.0),
        }
    }
}

impl Iterator for Feed {
    type Item = f32;

    fn next(&mut self) -> Option<f32> {
        if self.at == self.block.len() {
            self.refill();
        }
        self.at += 1;
        Some(self.block[self.at - 1])
    }
}

impl Source for Feed {
    fn current_span_len(&self) -> Option<usize> {
        None
    }

    fn channels(&self) -> NonZero<u16> {
        CHANNELS
    }

    fn sample_rate(&self) -> NonZero<u32> {
        SAMPLE_RATE
    }

    fn total_duration(&self) -> Option<Duration> {
        None
    }
}

/// A device that plays as long as this is kept.
pub(super) struct Opened {
    /// What the system calls it.
    pub(super) name: String,
    /// Frames, at the graph's rate, between a pull and its sound.
    pub(super) latency_frames: f64,
    /// Whatever keeps it open.
    #[expect(dead_code, reason = "dropping it closes the device")]
    pub(super) stream: Box<dyn std::any::Any>,
}

/// Opens the default device and lets it play `feed`; `lost` hears when it fails.
///
/// # Errors
/// The reason in words.
pub(super) fn open(feed: Feed, lost: Sender<Lost>) -> Result<Opened, String> {
    let device = rodio::cpal::default_host()
        .default_output_device()
        .ok_or("the system has no sound output")?;
    let name = device
        .description()
        .map_or_else(|_| "default output".to_owned(), |known| known.name().to_owned());
    let driver = feed.driver;
    // A lost device calls this millions of times: only the first call may cost anything.
    let on_error = move |error: CpalError| {
        let passes = matches!(
            error.kind(),
            CpalErrorKind::Xrun | CpalErrorKind::DeviceChanged | CpalErrorKind::RealtimeDenied
        );
        if !passes && !lost.is_full() {
            let _ = lost.try_send((driver, error.to_string()));
        }
    };
    let builder = || {
        DeviceSinkBuilder::from_device(device.clone())
            .map(|builder| builder.with_error_callback(on_error.clone()))
    };
    // The graph's own rate first: systems convert better than rodio, which draws straight lines between samples.
    let wanted = |builder: DeviceSinkBuilder<_>| {
        builder
            .with_channels(CHANNELS)
            .with_sample_rate(SAMPLE_RATE)
            .with_buffer_size(BufferSize::Fixed(PERIOD_FRAMES))
            .open_stream()
    };
    let mut sink: MixerDeviceSink = builder()
        .and_then(wanted)
        .or_else(|_| builder()?.open_sink_or_fallback())
        .map_err(|error| {
            tracing::info!("{name}: {error}: {:?}", std::error::Error::source(&error));
            format!("{name} could not be opened")
        })?;
    sink.log_on_drop(false);
    let config = sink.config();
    let period = match config.buffer_size() {
        BufferSize::Fixed(frames) => *frames,
        BufferSize::Default => PERIOD_FRAMES,
    };
    let latency_frames = f64::from(period) * f64::from(RATE) / f64::from(config.sample_rate().get());
    sink.mixer().add(feed);
    Ok(Opened {
        name,
        latency_frames,
        stream: Box::new(sink),
    })
}

/// Entries of ALSA's list that convert or swallow sound rather than play it.
const NO_OUTPUTS: [&str; 10] = [
    "null",
    "lavrate",
    "samplerate",
    "speexrate",
    "speex",
    "upmix",
    "vdownmix",
    "jack",
    "oss",
    "usbstream",
];

/// Names of the sound outputs there are, for `doctor`.
pub fn outputs() -> Vec<String> {
    let Ok(devices) = rodio::cpal::default_host().output_devices() else {
        return Vec::new();
    };
    let mut names: Vec<String> = devices
        .filter_map(|device| device.description().ok())
        .filter(|known| known.driver().is_none_or(|driver| !NO_OUTPUTS.contains(&driver)))
        .map(|known| known.name().to_owned())
        .collect();
    names.dedup();
    names
}
