//! Official checkpoints under the names and configs that the networks here use.
//!
//! `names` brings parameters under the names used here, `configs` reads the config off their shapes.

mod configs;
mod names;

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Parameters;
use super::checkpoint::{Array, Checkpoint};
use crate::error::{Error, ErrorKind, Result};

/// A network that has weights of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Picture features.
    SlowFast,
    /// Audio features.
    Vggish,
    /// Separation.
    Spleeter,
    /// The paper's own modules.
    Mrcmv,
    /// The first baseline.
    Cmmr,
    /// The second baseline.
    Cbvmr,
}

impl Network {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::SlowFast,
        Self::Vggish,
        Self::Spleeter,
        Self::Mrcmv,
        Self::Cmmr,
        Self::Cbvmr,
    ];
    /// Those that a pack of MRCMV consists of, so that one can be put in place of its own.
    pub const OF_A_PACK: [Self; 4] = [Self::SlowFast, Self::Vggish, Self::Spleeter, Self::Mrcmv];
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SlowFast => "slowfast",
            Self::Vggish => "vggish",
            Self::Spleeter => "spleeter",
            Self::Mrcmv => "mrcmv",
            Self::Cmmr => "cmmr",
            Self::Cbvmr => "cbvmr",
        })
    }
}

impl FromStr for Network {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|network| network.to_string() == text)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Input,
                    format!(
                        "there is no network {text}; choose slowfast, vggish, spleeter, mrcmv, cmmr or cbvmr"
                    ),
                )
            })
    }
}

/// Weights ready for a network's `new`.
#[derive(Debug, Clone)]
pub struct Adopted {
    /// The network's `Config` as JSON, read off the shapes.
    pub config: Value,
    /// The parameters under the network's names.
    pub parameters: Parameters,
    /// Whose file it was: "PyTorchVideo", "PySlowFast", "Caffe2", "torchvggish", "Spleeter" or "Undertone".
    pub origin: &'static str,
}

impl Adopted {
    /// The parsed config.
    ///
    /// # Errors
    /// When the config read off the shapes is not one of `C`, which is a fault of this program.
    pub fn config<C: DeserializeOwned>(&self) -> Result<C> {
        C::deserialize(&self.config).map_err(|source| {
            Error::internal("a config read off a checkpoint does not parse").with_source(source)
        })
    }

    /// Builds the network on `device`; it must use every parameter.
    ///
    /// # Errors
    /// When a parameter is missing, misshapen or left over.
    pub fn build<C: DeserializeOwned, N>(
        &self,
        device: &Device,
        new: impl FnOnce(&C, VarBuilder<'static>) -> Result<N>,
    ) -> Result<N> {
        let network = new(&self.config()?, self.parameters.builder(device))?;
        self.parameters.check_all_used()?;
        Ok(network)
    }
}

/// The network that `checkpoint` holds, by the names of its parameters.
pub fn recognise(checkpoint: &Checkpoint) -> Option<Network> {
    let has = |prefix: &str| checkpoint.arrays.keys().any(|name| name.starts_with(prefix));
    if ["blocks.0.multipathway", "s1.pathway", "t_conv1"]
        .into_iter()
        .any(has)
    {
        Some(Network::SlowFast)
    } else if has("features.0.") {
        Some(Network::Vggish)
    } else if ["conv2d/", "conv2d."].into_iter().any(has) {
        Some(Network::Spleeter)
    } else if has("video_fc.") && has("query_fc.") {
        Some(Network::Mrcmv)
    } else if has("video_hidden.") {
        Some(Network::Cmmr)
    } else if has("video_scale.") {
        Some(Network::Cbvmr)
    } else {
        None
    }
}

/// Brings `checkpoint` under the names of `network` and reads its config off the shapes.
///
/// # Errors
/// When the checkpoint is of another network or an unknown variant of this one.
pub fn adopt(network: Network, checkpoint: Checkpoint) -> Result<Adopted> {
    let Checkpoint { form, arrays } = checkpoint;
    let (origin, named) = match network {
        Network::SlowFast => names::slowfast(arrays),
        Network::Vggish => names::vggish(arrays, form),
        Network::Spleeter => names::spleeter(arrays),
        Network::Mrcmv | Network::Cmmr | Network::Cbvmr => ("Undertone", arrays),
    };
    let config = match network {
        Network::SlowFast => configs::slowfast(&named),
        Network::Vggish => configs::vggish(&named, form),
        Network::Spleeter => configs::spleeter(&named, origin),
        Network::Mrcmv => configs::mrcmv(&named),
        Network::Cmmr => configs::cmmr(&named),
        Network::Cbvmr => configs::cbvmr(&named),
    };
    let config = config.ok_or_else(|| {
        Error::pack(format!(
            "these are no weights of {network}; choose a checkpoint of that network"
        ))
    })?;
    let tensors = named
        .into_iter()
        .map(|(name, Array { shape, values })| Ok((name, Tensor::from_vec(values, shape, &Device::Cpu)?)))
        .collect::<Result<HashMap<String, Tensor>>>()?;
    Ok(Adopted {
        config,
        parameters: Parameters::new(tensors)?,
        origin,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::checkpoint::{Arrays, Form};
    use super::*;

    #[test]
    fn spleeter_variables_are_counted_into_stems() {
        let mut checkpoint = Arrays::new();
        for layer in 0..28 {
            let name = if layer == 0 {
                "conv2d".to_owned()
            } else {
                format!("conv2d_{layer}")
            };
            checkpoint.insert(
                format!("{name}/kernel"),
                Array {
                    shape: vec![1, 1, 1, 8],
                    values: vec![0.0; 8],
                },
            );
            checkpoint.insert(
                format!("{name}/kernel/Adam"),
                Array {
                    shape: vec![1],
                    values: vec![0.0],
                },
            );
        }
        checkpoint.insert(
            "conv2d_transpose/kernel".to_owned(),
            Array {
                shape: vec![1],
                values: vec![0.0],
            },
        );
        checkpoint.insert(
            "global_step".to_owned(),
            Array {
                shape: vec![],
                values: vec![9.0],
            },
        );
        let adopted = adopt(
            Network::Spleeter,
            Checkpoint {
                form: Form::TensorFlow,
                arrays: checkpoint,
            },
        )
        .expect("adopted");
        assert_eq!(adopted.config["width"], 0.5);
        assert_eq!(
            adopted.config["stems"],
            json!(["vocals", "drums", "bass", "other"])
        );
        assert_eq!(adopted.parameters.names().len(), 29);
    }

    #[test]
    fn weights_of_another_network_are_refused() {
        let arrays = Arrays::from([(
            "features.0.weight".to_owned(),
            Array {
                shape: vec![4],
                values: vec![0.0; 4],
            },
        )]);
        let error = adopt(
            Network::SlowFast,
            Checkpoint {
                form: Form::Torch,
                arrays,
            },
        )
        .expect_err("not SlowFast")
        .to_string();
        assert!(error.contains("slowfast"), "{error}");
        assert!("resnet".parse::<Network>().is_err());
    }
}
