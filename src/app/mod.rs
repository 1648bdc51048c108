//! The window: egui, and nobody else sees egui.

use std::path::PathBuf;

use crate::error::Result;

/// Opens the window and returns when it is closed. `media` is loaded if given; `demo` loads the demo clip and adds the demo
/// music to the library.
///
/// # Errors
/// When there is no display.
pub fn run(media: Option<PathBuf>, demo: bool) -> Result<()> {
    let _ = (media, demo);
    crate::error::unbuilt("the window")
}
