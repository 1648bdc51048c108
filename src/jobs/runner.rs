//! Jobs on threads of their own, and their news on one bounded channel.
//!
//! Progress may be dropped when the reader is slow; an end never is.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::monitor::{CancelToken, Monitor, Report};
use crate::error::{Error, Result};

/// Names one job of this run of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(u64);

/// News of a job. `T` is what a finished job leaves behind.
#[derive(Debug)]
pub enum JobEvent<T> {
    /// Progress or a warning.
    Report(JobId, Report),
    /// The last event of a job.
    Ended(JobId, Result<T>),
}

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// On its thread.
    Running,
    /// Asked to stop, still on its thread.
    Cancelling,
    /// Ended well.
    Done,
    /// Ended because the user asked.
    Cancelled,
    /// Ended with this sentence.
    Failed(String),
}

/// What a window shows of a job.
#[derive(Debug, Clone)]
pub struct JobStatus {
    /// The job.
    pub id: JobId,
    /// What the user started: "Index Music".
    pub title: String,
    /// What it does now.
    pub stage: String,
    /// Part done, where known.
    pub fraction: Option<f32>,
    /// Problems with single inputs so far.
    pub warnings: Vec<String>,
    /// Running or how it ended.
    pub state: JobState,
    /// When it started.
    pub started: Instant,
    /// When it ended.
    pub ended: Option<Instant>,
    cancel: CancelToken,
}

impl JobStatus {
    /// Time left by the pace so far; `None` before a twentieth is done.
    pub fn time_left(&self) -> Option<Duration> {
        let fraction = self.fraction.filter(|f| (0.05..1.0).contains(f))?;
        let spent = self.started.elapsed().as_secs_f32();
        Some(Duration::from_secs_f32(spent * (1.0 - fraction) / fraction))
    }

    /// Whether its thread still runs.
    pub fn is_running(&self) -> bool {
        matches!(self.state, JobState::Running | JobState::Cancelling)
    }
}

/// Starts jobs and keeps their status.
#[derive(Debug)]
pub struct Runner<T> {
    next: AtomicU64,
    sender: Sender<JobEvent<T>>,
    receiver: Receiver<JobEvent<T>>,
    jobs: Vec<JobStatus>,
}

impl<T: Send + 'static> Default for Runner<T> {
    fn default() -> Self {
        let (sender, receiver) = bounded(1024);
        Self {
            next: AtomicU64::new(1),
            sender,
            receiver,
            jobs: Vec::new(),
        }
    }
}

impl<T: Send + 'static> Runner<T> {
    /// Runs `work` on a thread of its own. `wake` is called after each event,
    /// for instance to ask the window for a repaint.
    pub fn start(
        &mut self,
        title: impl Into<String>,
        wake: impl Fn() + Send + Sync + Clone + 'static,
        work: impl FnOnce(&Monitor) -> Result<T> + Send + 'static,
    ) -> JobId {
        let id = JobId(self.next.fetch_add(1, Ordering::Relaxed));
        let title = title.into();
        let cancel = CancelToken::default();
        self.jobs.push(JobStatus {
            id,
            title: title.clone(),
            stage: String::new(),
            fraction: None,
            warnings: Vec::new(),
            state: JobState::Running,
            started: Instant::now(),
            ended: None,
            cancel: cancel.clone(),
        });
        let reports = self.sender.clone();
        let wake_on_report = wake.clone();
        let monitor = Monitor::new(cancel, move |report| {
            // A full channel means a slow reader, who will see a later report.
            if reports.try_send(JobEvent::Report(id, report)).is_ok() {
                wake_on_report();
            }
        });
        let ends = self.sender.clone();
        let spawned = std::thread::Builder::new().name(title).spawn(move || {
            let result = catch_unwind(AssertUnwindSafe(|| work(&monitor))).unwrap_or_else(|_| {
                Err(Error::internal(
                    "the job stopped by a fault of the program; the log has the details",
                ))
            });
            // The reader is gone only when the program ends.
            let _ = ends.send(JobEvent::Ended(id, result));
            wake();
        });
        if let Err(source) = spawned {
            let _ = self
                .sender
                .try_send(JobEvent::Ended(id, Err(super::no_thread(source))));
        }
        id
    }

    /// Takes the news that arrived, updating the statuses; returns the ends.
    pub fn poll(&mut self) -> Vec<(JobId, Result<T>)> {
        let mut ended = Vec::new();
        while let Ok(event) = self.receiver.try_recv() {
            match event {
                JobEvent::Report(id, report) => self.apply(id, report),
                JobEvent::Ended(id, result) => {
                    self.finish(id, result.as_ref().err());
                    ended.push((id, result));
                }
            }
        }
        ended
    }

    /// Asks one job to stop.
    pub fn cancel(&mut self, id: JobId) {
        if let Some(job) = self.jobs.iter_mut().find(|job| job.id == id && job.is_running()) {
            job.cancel.cancel();
            job.state = JobState::Cancelling;
        }
    }

    /// Asks all jobs to stop, as at the end of the program.
    pub fn cancel_all(&mut self) {
        let running: Vec<JobId> = self
            .jobs
            .iter()
            .filter(|job| job.is_running())
            .map(|job| job.id)
            .collect();
        running.into_iter().for_each(|id| self.cancel(id));
    }

    /// All jobs of this run, oldest first.
    pub fn jobs(&self) -> &[JobStatus] {
        &self.jobs
    }

    /// Forgets the jobs that ended.
    pub fn clear_ended(&mut self) {
        self.retain_ended(|_| false);
    }

    /// Forgets the jobs that ended and that `keep` does not want to remember.
    pub fn retain_ended(&mut self, keep: impl Fn(&JobStatus) -> bool) {
        self.jobs.retain(|job| job.is_running() || keep(job));
    }

    fn apply(&mut self, id: JobId, report: Report) {
        let Some(job) = self.jobs.iter_mut().find(|job| job.id == id) else {
            return;
        };
        match report {
            Report::Progress { stage, fraction } => {
                job.stage = stage;
                job.fraction = fraction;
            }
            Report::Warning(message) => job.warnings.push(message),
        }
    }

    fn finish(&mut self, id: JobId, error: Option<&Error>) {
        let Some(job) = self.jobs.iter_mut().find(|job| job.id == id) else {
            return;
        };
        job.ended = Some(Instant::now());
        job.state = match error {
            None => JobState::Done,
            Some(error) if error.is_cancelled() => JobState::Cancelled,
            Some(error) => JobState::Failed(error.to_string()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait<T: Send + 'static>(runner: &mut Runner<T>) -> Result<T> {
        loop {
            if let Some((_, result)) = runner.poll().pop() {
                return result;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn a_job_reports_and_ends() {
        let mut runner = Runner::default();
        runner.start(
            "count",
            || {},
            |monitor| {
                monitor.progress("counting", Some(0.5));
                monitor.warn("one was odd");
                Ok(7)
            },
        );
        assert_eq!(wait(&mut runner).expect("done"), 7);
        let job = &runner.jobs()[0];
        assert_eq!(
            (job.stage.as_str(), job.fraction, job.state.clone()),
            ("counting", Some(0.5), JobState::Done)
        );
        assert_eq!(job.warnings, ["one was odd"]);
    }

    #[test]
    fn cancel_reaches_the_work() {
        let mut runner: Runner<()> = Runner::default();
        let id = runner.start(
            "wait",
            || {},
            |monitor| {
                loop {
                    monitor.check()?;
                    std::thread::sleep(Duration::from_millis(1));
                }
            },
        );
        runner.cancel(id);
        assert!(wait(&mut runner).expect_err("cancelled").is_cancelled());
        assert_eq!(runner.jobs()[0].state, JobState::Cancelled);
    }

    #[test]
    fn a_panic_is_an_error() {
        let mut runner: Runner<()> = Runner::default();
        runner.start("fail", || {}, |_| panic!("as a test"));
        assert!(wait(&mut runner).is_err());
        assert!(matches!(runner.jobs()[0].state, JobState::Failed(_)));
    }
}
