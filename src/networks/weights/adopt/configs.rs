//! What a network's config must be for parameters of these shapes; `None` where they are no such network's.

use serde_json::{Value, json};

use super::super::checkpoint::{Arrays, Form};
use crate::networks::cbvmr;

fn dimension(named: &Arrays, name: &str, axis: usize) -> Option<usize> {
    named.get(name)?.shape.get(axis).copied()
}

pub(super) fn slowfast(named: &Arrays) -> Option<Value> {
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

pub(super) fn vggish(named: &Arrays, form: Form) -> Option<Value> {
    let width = dimension(named, "features.0.weight", 0)? as f64 / 64.0;
    // torchvggish and its relatives end in a ReLU, which the original release does not.
    let chroma = named.contains_key("chroma.weight");
    Some(json!({ "width": width, "relu_last": form == Form::Torch, "chroma": chroma }))
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

pub(super) fn spleeter(named: &Arrays, origin: &str) -> Option<Value> {
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
pub(super) fn cmmr(named: &Arrays) -> Option<Value> {
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

pub(super) fn cbvmr(named: &Arrays) -> Option<Value> {
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

pub(super) fn mrcmv(named: &Arrays) -> Option<Value> {
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
