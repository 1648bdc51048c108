//! The names of parameters in official checkpoints.
//!
//! Sources: PyTorchVideo `create_slowfast`; PySlowFast `video_model_builder.py` and, for its Caffe2 files,
//! `c2_model_loading.py`; torchvggish; Spleeter's TensorFlow variables. Heads, optimiser state and counters are no part of
//! a feature network and are left behind; everything else must find its place, or loading names it.

use super::super::checkpoint::{Arrays, Form};

/// Of SlowFast, and where they come from.
pub(super) fn slowfast(checkpoint: Arrays) -> (&'static str, Arrays) {
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

/// Of VGGish, and where they come from.
pub(super) fn vggish(checkpoint: Arrays, form: Form) -> (&'static str, Arrays) {
    let is_feature = |name: &str| (!name.starts_with("pproc.")).then(|| name.to_owned());
    let origin = if form == Form::Torch {
        "torchvggish"
    } else {
        "Undertone"
    };
    (origin, rename(checkpoint, is_feature))
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

/// Of Spleeter, and where they come from: TensorFlow separates by slashes, and keeps the optimiser beside the weights.
pub(super) fn spleeter(checkpoint: Arrays) -> (&'static str, Arrays) {
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
}
