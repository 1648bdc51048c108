//! What works on this computer and what does not.

use serde::Serialize;

use crate::error::Result;
use crate::settings::Folders;

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// "device", "gstreamer", "sound", "pack", "folder", "disk".
    pub area: String,
    /// What was looked at.
    pub name: String,
    /// Whether it is fine.
    pub ok: bool,
    /// What was found, or what to do.
    pub detail: String,
}

/// Looks at devices, GStreamer elements, packs, folders and free disk. `outputs` are the names of the sound outputs, which
/// only playback can list.
///
/// # Errors
/// Never for a finding; only when the checks themselves cannot run.
pub fn doctor(folders: &Folders, outputs: &[String]) -> Result<Vec<Check>> {
    let _ = (folders, outputs);
    crate::error::unbuilt("doctor")
}
