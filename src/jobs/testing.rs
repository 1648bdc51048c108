//! For tests of what a cancel leaves behind.

use super::{CancelToken, Monitor, Report};

/// A monitor whose job is cancelled as soon as it reports `fraction` of itself, or more.
pub fn cancelling_at(fraction: f32) -> Monitor {
    let token = CancelToken::default();
    let raised = token.clone();
    Monitor::new(token, move |report| {
        if let Report::Progress {
            fraction: Some(done), ..
        } = report
            && done >= fraction
        {
            raised.cancel();
        }
    })
}
