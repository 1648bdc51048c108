//! What works on this computer and what does not.

use std::path::Path;

use serde::Serialize;

use super::Engine;
use crate::device::{self, DeviceChoice};
use crate::error::Result;
use crate::media;
use crate::networks::weights::Pack;
use crate::settings::Folders;

/// Below this much free disk, separating an hour of video may fail.
const LOW_DISK_BYTES: u64 = 2 << 30;

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

impl Check {
    fn new(area: &str, name: impl Into<String>, ok: bool, detail: impl Into<String>) -> Self {
        Self {
            area: area.to_owned(),
            name: name.into(),
            ok,
            detail: detail.into(),
        }
    }
}

/// Looks at devices, GStreamer elements, packs, folders and free disk. `outputs` are the names of the sound outputs, which
/// only playback can list.
///
/// # Errors
/// Never for a finding; only when the checks themselves cannot run.
pub fn doctor(folders: &Folders, outputs: &[String]) -> Result<Vec<Check>> {
    let mut checks = devices();
    checks.extend(gstreamer());
    checks.extend(sound(outputs));
    checks.extend(packs(folders));
    checks.extend([&folders.data, &folders.cache, &folders.config].map(|folder| writable(folder)));
    checks.push(disk(&folders.data));
    Ok(checks)
}

fn devices() -> Vec<Check> {
    [DeviceChoice::Cpu, DeviceChoice::Cuda, DeviceChoice::Metal]
        .into_iter()
        .map(|choice| match device::select(choice) {
            Ok(_) => Check::new("device", choice.to_string(), true, "ready"),
            Err(error) => Check::new("device", choice.to_string(), false, error.to_string()),
        })
        .collect()
}

fn gstreamer() -> Vec<Check> {
    let elements = match media::elements() {
        Ok(elements) => elements,
        Err(error) => return vec![Check::new("gstreamer", "GStreamer", false, error.to_string())],
    };
    let version = Check::new("gstreamer", "GStreamer", true, media::version());
    let lines = elements.into_iter().map(|element| {
        let detail = if element.present {
            element.purpose
        } else {
            format!(
                "missing, needed for {}; install {}",
                element.purpose, element.package
            )
        };
        Check::new("gstreamer", element.name, element.present, detail)
    });
    std::iter::once(version).chain(lines).collect()
}

fn sound(outputs: &[String]) -> Vec<Check> {
    if outputs.is_empty() {
        let advice = "no sound output; everything works but nothing is heard";
        return vec![Check::new("sound", "output", false, advice)];
    }
    outputs
        .iter()
        .map(|name| Check::new("sound", name, true, "ready"))
        .collect()
}

fn packs(folders: &Folders) -> Vec<Check> {
    let found = Pack::list(&Engine::pack_roots(folders));
    if found.is_empty() {
        return vec![Check::new(
            "pack",
            "packs",
            false,
            "there is none; put a pack into the data folder's packs",
        )];
    }
    found
        .into_iter()
        .map(|pack| match pack {
            Ok(pack) => {
                let name = format!("{} {}", pack.manifest.name, pack.manifest.version);
                match pack.verify() {
                    Ok(()) => Check::new("pack", name, true, pack.folder.display().to_string()),
                    Err(error) => Check::new("pack", name, false, error.to_string()),
                }
            }
            Err(error) => Check::new("pack", "pack", false, error.to_string()),
        })
        .collect()
}

fn writable(folder: &Path) -> Check {
    let name = folder.display().to_string();
    let tried = Folders::ensure(folder)
        .and_then(|()| crate::files::AtomicFile::create(&folder.join("doctor.txt")).map(drop));
    match tried {
        Ok(()) => Check::new("folder", name, true, "writable"),
        Err(error) => Check::new("folder", name, false, error.to_string()),
    }
}

fn disk(folder: &Path) -> Check {
    match fs4::available_space(folder) {
        Ok(free) => {
            let detail = format!("{:.1} GB free", free as f64 / 1e9);
            Check::new(
                "disk",
                folder.display().to_string(),
                free >= LOW_DISK_BYTES,
                detail,
            )
        }
        Err(error) => Check::new("disk", folder.display().to_string(), false, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_area_is_looked_at() {
        let home = tempfile::tempdir().expect("temporary folder");
        let checks = doctor(&Folders::under(home.path()), &[]).expect("checks");
        for area in ["device", "gstreamer", "sound", "pack", "folder", "disk"] {
            assert!(checks.iter().any(|check| check.area == area), "{area}");
        }
        assert!(checks.iter().any(|check| check.name == "cpu" && check.ok));
        assert!(checks.iter().all(|check| !check.detail.is_empty() || check.ok));
    }
}
