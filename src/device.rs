//! Where the networks compute, and why.

use std::fmt;
use std::str::FromStr;

use candle_core::Device;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// What the user asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// CUDA, else Metal, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The first CUDA device.
    Cuda,
    /// The first Metal device.
    Metal,
}

impl DeviceChoice {
    /// All choices, in the order a menu shows them.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Cpu, Self::Cuda, Self::Metal];
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Metal => "metal",
        })
    }
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|choice| choice.to_string() == text)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Input,
                    format!("there is no device {text}; choose auto, cpu, cuda or metal"),
                )
            })
    }
}

/// The device in use.
#[derive(Debug, Clone)]
pub struct Selected {
    /// The device.
    pub device: Device,
    /// "cpu", "cuda" or "metal".
    pub name: &'static str,
    /// Why it is not the best one that was asked for.
    pub reason: Option<String>,
}

impl Selected {
    /// Why a build for a GPU computes on the CPU; `None` where it does as it was built to.
    pub fn fallback(&self) -> Option<&str> {
        let for_a_gpu = cfg!(any(feature = "cuda", feature = "metal"));
        self.reason.as_deref().filter(|_| for_a_gpu)
    }
}

/// Opens the device for `choice`. `Auto` falls back to the CPU and says why.
///
/// # Errors
/// When a named device is not there.
pub fn select(choice: DeviceChoice) -> Result<Selected> {
    let cpu = |reason: Option<String>| Selected {
        device: Device::Cpu,
        name: "cpu",
        reason,
    };
    match choice {
        DeviceChoice::Cpu => Ok(cpu(None)),
        DeviceChoice::Cuda => open_cuda().map_err(|reason| {
            Error::new(
                ErrorKind::Device,
                format!("CUDA cannot be used: {reason}; choose --device cpu"),
            )
        }),
        DeviceChoice::Metal => open_metal().map_err(|reason| {
            Error::new(
                ErrorKind::Device,
                format!("Metal cannot be used: {reason}; choose --device cpu"),
            )
        }),
        DeviceChoice::Auto => Ok(open_cuda()
            .or_else(|cuda| {
                open_metal().map_err(|metal| if cfg!(target_os = "macos") { metal } else { cuda })
            })
            .unwrap_or_else(|reason| cpu(Some(reason)))),
    }
}

/// Where the libraries that `make cuda` links leave, before `main`, the name of the first one of CUDA's that this computer
/// lacks (`.ci/cuda/lazy.py`).
const CUDA_MISSING: &str = "UNDERTONE_CUDA_MISSING";

fn open_cuda() -> Result<Selected, String> {
    if !cfg!(feature = "cuda") {
        return Err("this build has no CUDA support".to_owned());
    }
    if let Ok(library) = std::env::var(CUDA_MISSING) {
        return Err(missing_in_words(&library));
    }
    // One stream for all threads: on streams of their own, candle's default, a thread would go on with tensors that another
    // has only asked for, such as the picture's rows beside the voice's.
    Device::new_cuda_with_stream(0)
        .map(|device| Selected {
            device,
            name: "cuda",
            reason: None,
        })
        .map_err(|error| first_line(&error))
}

fn missing_in_words(library: &str) -> String {
    if library.starts_with("libcuda.so") {
        format!("NVIDIA's driver is missing ({library})")
    } else {
        format!("CUDA 13 or cuDNN 9 is missing ({library})")
    }
}

fn open_metal() -> Result<Selected, String> {
    if !cfg!(feature = "metal") {
        return Err("this build has no Metal support".to_owned());
    }
    Device::new_metal(0)
        .map(|device| Selected {
            device,
            name: "metal",
            reason: None,
        })
        .map_err(|error| first_line(&error))
}

fn first_line(error: &candle_core::Error) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or("unknown reason")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for choice in DeviceChoice::ALL {
            assert_eq!(choice.to_string().parse::<DeviceChoice>().expect("known"), choice);
        }
        assert!("gpu".parse::<DeviceChoice>().is_err());
    }

    #[test]
    fn a_missing_library_says_what_to_install() {
        assert!(missing_in_words("libcuda.so.1").contains("driver"));
        assert!(missing_in_words("libcudnn.so.9").contains("cuDNN 9"));
    }

    #[test]
    fn auto_always_opens_something() {
        let selected = select(DeviceChoice::Auto).expect("a device");
        assert!(selected.name != "cpu" || selected.reason.is_some());
    }
}
