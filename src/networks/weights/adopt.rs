//! Official checkpoints under the names and configs that the networks here use.
//!
//! Sources of the names: PyTorchVideo `create_slowfast`; PySlowFast `video_model_builder.py` and, for its Caffe2 files,
//! `c2_model_loading.py`; torchvggish; Spleeter's TensorFlow variables. Heads, optimiser state and counters are no part of
//! a feature network and are left behind; everything else must find its place, or loading names it.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Parameters;
use super::checkpoint::{Array, Arrays, Checkpoint, Form};
use crate::error::{Error, ErrorKind, Result};
use crate::networks::cbvmr;

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
        Network::SlowFast => slowfast_names(arrays),
        Network::Vggish => {
            let is_feature = |name: &str| (!name.starts_with("pproc.")).then(|| name.to_owned());
            let origin = if form == Form::Torch {
                "torchvggish"
            } else {
                "Undertone"
            };
            (origin, rename(arrays, is_feature))
        }
        Network::Spleeter => spleeter_names(arrays),
        Network::Mrcmv | Network::Cmmr | Network::Cbvmr => ("Undertone", arrays),
    };
    let config = match network {
        Network::SlowFast => slowfast_config(&named),
        Network::Vggish => vggish_config(&named, form),
        Network::Spleeter => spleeter_config(&named, origin),
        Network::Mrcmv => mrcmv_config(&named),
        Network::Cmmr => cmmr_config(&named),
        Network::Cbvmr => cbvmr_config(&named),
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

fn slowfast_names(checkpoint: Arrays) -> (&'static str, Arrays) {
    let has = |prefix: &str| checkpoint.keys().any(|name| name.starts_with(prefix));
    if has("s1.pathway") {
        return ("PySlowFast", rename(checkpoint, pyslowfast_name));
    }
    if has("t_conv1") {
        let rename_twice = |name: &str| pyslowfast_name(&caffe2_name(name)?);
        return ("Caffe2", rename(checkpoint, rename_twice));
    }
    // Blocks 5 and 6 of PyTorchVideo pool and classify.
    let is_feature = |name: &str| !name.starts_with("blocks.5.") && !name.starts_with("blocks.6.");
    (
        "PyTorchVideo",
        rename(checkpoint, |name| is_feature(name).then(|| name.to_owned())),
    )
}

fn rename(checkpoint: Arrays, name: impl Fn(&str) -> Option<String>) -> Arrays {
    checkpoint
        .into_iter()
        .filter_map(|(old, array)| Some((name(&old)?, array)))
        .collect()
}

/// `s4.pathway1_res2.branch2.a_bn.weight` -> `blocks.3.multipathway_blocks.1.res_blocks.2.branch2.norm_a.weight`;
/// `None` for the head.
fn pyslowfast_name(name: &str) -> Option<String> {
    let (stage, rest) = name.split_once('.')?;
    let (stage, fuse) = stage
        .strip_suffix("_fuse")
        .map_or((stage, false), |stage| (stage, true));
    let block = stage.strip_prefix('s')?.parse::<usize>().ok()?.checked_sub(1)?;
    if fuse {
        let rest = rest
            .replacen("conv_f2s.", "conv_fast_to_slow.", 1)
            .replacen("bn.", "norm.", 1);
        return Some(format!("blocks.{block}.multipathway_fusion.{rest}"));
    }
    let (unit, rest) = rest.split_once('.')?;
    let (pathway, unit) = unit.strip_prefix("pathway")?.split_once('_')?;
    let path = format!("blocks.{block}.multipathway_blocks.{pathway}");
    if unit == "stem" {
        return Some(format!("{path}.{}", rest.replacen("bn.", "norm.", 1)));
    }
    let path = format!("{path}.res_blocks.{}", unit.strip_prefix("res")?);
    let (layer, parameter) = rest.rsplit_once('.')?;
    let layer = match layer {
        "branch1" => "branch1_conv".to_owned(),
        "branch1_bn" => "branch1_norm".to_owned(),
        other => {
            let layer = other.strip_prefix("branch2.")?;
            match layer.strip_suffix("_bn") {
                Some(letter) => format!("branch2.norm_{letter}"),
                None => format!("branch2.conv_{layer}"),
            }
        }
    };
    Some(format!("{path}.{layer}.{parameter}"))
}

/// `t_res4_2_branch2a_bn_s` -> `s4.pathway1_res2.branch2.a_bn.weight`; `None` for head, momentum and counters.
fn caffe2_name(name: &str) -> Option<String> {
    let (name, parameter) = [
        ("_bn_riv", "bn.running_var"),
        ("_bn_rm", "bn.running_mean"),
        ("_bn_s", "bn.weight"),
        ("_bn_b", "bn.bias"),
        ("_w", "weight"),
    ]
    .into_iter()
    .find_map(|(suffix, parameter)| Some((name.strip_suffix(suffix)?, parameter)))?;
    let is_norm = parameter.starts_with("bn.");
    if let Some(unit) = name.strip_suffix("_subsample") {
        let stage = match unit {
            "t_pool1" => "1",
            unit => unit.strip_prefix("t_res")?.split_once('_')?.0,
        };
        return Some(format!(
            "s{stage}_fuse.{}{parameter}",
            if is_norm { "" } else { "conv_f2s." }
        ));
    }
    let (pathway, unit) = name.strip_prefix("t_").map_or((0, name), |unit| (1, unit));
    if unit == "conv1" || unit == "res_conv1" {
        return Some(format!(
            "s1.pathway{pathway}_stem.{}{parameter}",
            if is_norm { "" } else { "conv." }
        ));
    }
    let mut parts = unit.strip_prefix("res")?.splitn(3, '_');
    let (stage, index, branch) = (parts.next()?, parts.next()?, parts.next()?);
    let branch = match branch.strip_prefix("branch2") {
        Some(letter) => format!("branch2.{letter}"),
        None => branch.to_owned(),
    };
    let joint = if is_norm { "_" } else { "." };
    Some(format!(
        "s{stage}.pathway{pathway}_res{index}.{branch}{joint}{parameter}"
    ))
}

/// TensorFlow separates by slashes, and keeps the optimiser beside the weights.
fn spleeter_names(checkpoint: Arrays) -> (&'static str, Arrays) {
    if !checkpoint.keys().any(|name| name.contains('/')) {
        return ("Undertone", checkpoint);
    }
    let is_weight = |name: &str| {
        let (layer, parameter) = name.split_once('/')?;
        let known = [
            "kernel",
            "bias",
            "gamma",
            "beta",
            "moving_mean",
            "moving_variance",
        ]
        .contains(&parameter);
        known.then(|| format!("{layer}.{parameter}"))
    };
    ("Spleeter", rename(checkpoint, is_weight))
}

fn dimension(named: &Arrays, name: &str, axis: usize) -> Option<usize> {
    named.get(name)?.shape.get(axis).copied()
}

fn slowfast_config(named: &Arrays) -> Option<Value> {
    let slow = dimension(named, "blocks.0.multipathway_blocks.0.conv.weight", 0)?;
    let fast = dimension(named, "blocks.0.multipathway_blocks.1.conv.weight", 0)?;
    let kernel = dimension(named, "blocks.0.multipathway_fusion.conv_fast_to_slow.weight", 2)?;
    let has_block = |index: usize| {
        named.contains_key(&format!(
            "blocks.3.multipathway_blocks.0.res_blocks.{index}.branch2.conv_a.weight"
        ))
    };
    // res4 has 6 blocks in R50 and 23 in R101.
    let depth = match (has_block(5), has_block(6), has_block(22)) {
        (true, false, _) => 50,
        (true, true, true) => 101,
        _ => return None,
    };
    Some(json!({
        "depth": depth,
        "width": slow as f64 / 64.0,
        "beta_inv": slow.checked_div(fast)?,
        "fusion_kernel": kernel,
    }))
}

fn vggish_config(named: &Arrays, form: Form) -> Option<Value> {
    let width = dimension(named, "features.0.weight", 0)? as f64 / 64.0;
    // torchvggish and its relatives end in a ReLU, which the original release does not.
    Some(json!({ "width": width, "relu_last": form == Form::Torch }))
}

/// Stems of the published configurations, in the order of their variables.
fn spleeter_stems(count: usize, origin: &str) -> Option<Vec<String>> {
    let names: &[&str] = match (count, origin) {
        (2, "Undertone") => &["voice", "bgm"],
        (2, _) => &["vocals", "accompaniment"],
        (4, _) => &["vocals", "drums", "bass", "other"],
        (5, _) => &["vocals", "piano", "drums", "bass", "other"],
        _ => return None,
    };
    Some(names.iter().map(|&name| name.to_owned()).collect())
}

fn spleeter_config(named: &Arrays, origin: &str) -> Option<Value> {
    let width = dimension(named, "conv2d.kernel", 3)? as f64 / 16.0;
    let layers = named.keys().filter(|name| {
        let layer = name
            .strip_suffix(".kernel")
            .and_then(|layer| layer.strip_prefix("conv2d"));
        layer.is_some_and(|rest| !rest.starts_with("_transpose"))
    });
    // Six on the way down and the last one, for each stem.
    let stems = spleeter_stems(layers.count() / 7, origin)?;
    // The official models of more than two stems differ in more than their number (spleeter/resources/*stems.json).
    Some(json!({
        "width": width,
        "activations": if stems.len() > 2 { "elu" } else { "relu" },
        "masks": if stems.len() > 4 { "softmax" } else { "sigmoid" },
        "stems": stems,
    }))
}

/// Slow and fast channels: the slow pathway has 8 for each of the fast one.
fn pathways(channels: usize) -> (usize, usize) {
    let fast = channels / 9;
    (channels - fast, fast)
}

/// Names of the tags stand in a pack's manifest alone; here they are numbers.
fn cmmr_config(named: &Arrays) -> Option<Value> {
    let (slow, fast) = pathways(dimension(named, "video_hidden.weight", 1)?);
    let tags = dimension(named, "video_tags.weight", 0)?;
    Some(json!({
        "slow_dim": slow,
        "fast_dim": fast,
        "music_dim": dimension(named, "music_hidden.weight", 1)?,
        "hidden": dimension(named, "video_hidden.weight", 0)?,
        "d_e": dimension(named, "video_out.weight", 0)?,
        "tags": (1..=tags).map(|tag| tag.to_string()).collect::<Vec<String>>(),
    }))
}

fn cbvmr_config(named: &Arrays) -> Option<Value> {
    let widths = |side: &str| -> Vec<usize> {
        (0..)
            .map_while(|layer| dimension(named, &format!("{side}.{layer}.weight"), 0))
            .collect()
    };
    let (mut video, mut music) = (widths("video"), widths("music"));
    let d_e = video.pop()?;
    music.pop()?;
    let (slow, fast) = pathways(dimension(named, "video.0.weight", 1)? / cbvmr::STATISTICS);
    Some(json!({
        "slow_dim": slow,
        "fast_dim": fast,
        "music_dim": dimension(named, "music.0.weight", 1)?,
        "video_layers": video,
        "music_layers": music,
        "d_e": d_e,
    }))
}

fn mrcmv_config(named: &Arrays) -> Option<Value> {
    let (d, channels) = (
        dimension(named, "video_fc.weight", 0)?,
        dimension(named, "video_fc.weight", 1)?,
    );
    let (slow, fast) = pathways(channels);
    Some(json!({
        "slow_dim": slow,
        "fast_dim": fast,
        "d": d,
        "d_e": dimension(named, "query_fc.weight", 0)?,
        "steps": dimension(named, "query_fc.weight", 1)?.checked_div(d)?,
        "sa": named.contains_key("sa_video.wq.weight"),
        "cma": named.contains_key("cma_video.wq.weight"),
        "gate": named.contains_key("gate.weight"),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pyslowfast_names_become_pytorchvideo_names() {
        let check = |name: &str, expected: Option<&str>| {
            assert_eq!(pyslowfast_name(name).as_deref(), expected, "{name}");
        };
        check(
            "s1.pathway0_stem.conv.weight",
            Some("blocks.0.multipathway_blocks.0.conv.weight"),
        );
        check(
            "s1.pathway1_stem.bn.running_mean",
            Some("blocks.0.multipathway_blocks.1.norm.running_mean"),
        );
        check(
            "s1_fuse.conv_f2s.weight",
            Some("blocks.0.multipathway_fusion.conv_fast_to_slow.weight"),
        );
        check("s4_fuse.bn.bias", Some("blocks.3.multipathway_fusion.norm.bias"));
        let block = "blocks.3.multipathway_blocks.1.res_blocks.2.";
        check(
            "s4.pathway1_res2.branch1.weight",
            Some(&format!("{block}branch1_conv.weight")),
        );
        check(
            "s4.pathway1_res2.branch1_bn.running_var",
            Some(&format!("{block}branch1_norm.running_var")),
        );
        check(
            "s4.pathway1_res2.branch2.a.weight",
            Some(&format!("{block}branch2.conv_a.weight")),
        );
        check(
            "s4.pathway1_res2.branch2.c_bn.weight",
            Some(&format!("{block}branch2.norm_c.weight")),
        );
        check("head.projection.weight", None);
    }

    #[test]
    fn caffe2_names_become_pyslowfast_names() {
        let check =
            |name: &str, expected: Option<&str>| assert_eq!(caffe2_name(name).as_deref(), expected, "{name}");
        check("conv1_w", Some("s1.pathway0_stem.conv.weight"));
        check("t_conv1_w", Some("s1.pathway1_stem.conv.weight"));
        check("res_conv1_bn_s", Some("s1.pathway0_stem.bn.weight"));
        check("t_res_conv1_bn_riv", Some("s1.pathway1_stem.bn.running_var"));
        check("t_pool1_subsample_w", Some("s1_fuse.conv_f2s.weight"));
        check("t_pool1_subsample_bn_rm", Some("s1_fuse.bn.running_mean"));
        check(
            "t_res4_5_branch2c_bn_subsample_w",
            Some("s4_fuse.conv_f2s.weight"),
        );
        check("t_res4_5_branch2c_bn_subsample_bn_b", Some("s4_fuse.bn.bias"));
        check("res4_0_branch1_w", Some("s4.pathway0_res0.branch1.weight"));
        check("res4_0_branch1_bn_b", Some("s4.pathway0_res0.branch1_bn.bias"));
        check("t_res5_2_branch2b_w", Some("s5.pathway1_res2.branch2.b.weight"));
        check(
            "t_res5_2_branch2b_bn_s",
            Some("s5.pathway1_res2.branch2.b_bn.weight"),
        );
        check("pred_w", None);
        check("conv1_w_momentum", None);
        check("lr", None);
    }

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
