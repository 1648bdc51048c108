//! What running work sees: whether to stop, and where to report.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

/// A flag that a person or a program raises to stop a job.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// Asks the job to stop at its next check.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether someone asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// One message of a running job.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// What is being done, and how far the whole job is, in 0..=1; `None` where
    /// the length is unknown.
    Progress {
        /// A few words: "Separating voice and music".
        stage: String,
        /// Part of the whole job that is done.
        fraction: Option<f32>,
    },
    /// Something that went wrong with one of many inputs; the job goes on.
    Warning(String),
}

type Sink = dyn Fn(Report) + Send + Sync;

/// Handed to every function that may take longer than a second.
#[derive(Clone)]
pub struct Monitor {
    cancel: CancelToken,
    sink: Arc<Sink>,
    /// The part of the whole job that this monitor covers.
    from: f32,
    to: f32,
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor")
            .field("cancelled", &self.cancel.is_cancelled())
            .field("from", &self.from)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

impl Monitor {
    /// A monitor that stops by `cancel` and reports to `sink`.
    pub fn new(cancel: CancelToken, sink: impl Fn(Report) + Send + Sync + 'static) -> Self {
        Self {
            cancel,
            sink: Arc::new(sink),
            from: 0.0,
            to: 1.0,
        }
    }

    /// A monitor that nobody watches and nobody stops.
    pub fn silent() -> Self {
        Self::new(CancelToken::default(), |_| {})
    }

    /// Fails with the cancelled error once somebody asked to stop. Call it
    /// before each unit of work of a tenth of a second or so.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Cancelled`].
    pub fn check(&self) -> Result<()> {
        if self.cancel.is_cancelled() {
            Err(Error::cancelled())
        } else {
            Ok(())
        }
    }

    /// The token, for code that must poll from another thread.
    pub fn cancel_token(&self) -> &CancelToken {
        &self.cancel
    }

    /// Reports that `stage` runs and that `fraction` of this monitor's part is
    /// done (0..=1; `None` where unknown).
    pub fn progress(&self, stage: &str, fraction: Option<f32>) {
        let fraction = fraction.map(|f| self.from + (self.to - self.from) * f.clamp(0.0, 1.0));
        (self.sink)(Report::Progress {
            stage: stage.to_owned(),
            fraction,
        });
    }

    /// Reports a problem with one of many inputs.
    pub fn warn(&self, message: impl Into<String>) {
        (self.sink)(Report::Warning(message.into()));
    }

    /// A monitor that stops with this one and reports nothing, for work whose stages would only flicker.
    #[must_use]
    pub fn unseen(&self) -> Self {
        Self::new(self.cancel.clone(), |_| {})
    }

    /// A monitor for the part `from..to` (each in 0..=1) of this one.
    #[must_use]
    pub fn part(&self, from: f32, to: f32) -> Self {
        let width = self.to - self.from;
        Self {
            cancel: self.cancel.clone(),
            sink: Arc::clone(&self.sink),
            from: self.from + width * from,
            to: self.from + width * to,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn parts_map_into_the_whole() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        let monitor = Monitor::new(CancelToken::default(), move |report| {
            if let Report::Progress {
                fraction: Some(fraction),
                ..
            } = report
            {
                sink.lock().expect("lock").push(fraction);
            }
        });
        monitor.part(0.5, 1.0).part(0.0, 0.5).progress("x", Some(1.0));
        assert_eq!(*seen.lock().expect("lock"), [0.75]);
    }

    #[test]
    fn a_raised_flag_stops_every_part() {
        let monitor = Monitor::silent();
        let part = monitor.part(0.0, 0.1);
        assert!(part.check().is_ok());
        monitor.cancel_token().cancel();
        assert!(part.check().expect_err("cancelled").is_cancelled());
    }
}
