//! A checkpoint becomes a network of a pack.

use std::path::Path;

use candle_core::Device;

use crate::error::{Error, Result};
use crate::jobs::Monitor;
use crate::networks::cbvmr::Cbvmr;
use crate::networks::cmmr::Cmmr;
use crate::networks::mrcmv::{self, Mrcmv};
use crate::networks::slowfast::{self, SlowFast};
use crate::networks::spleeter::Spleeter;
use crate::networks::vggish::Vggish;
use crate::networks::weights::{Adopted, Network, Pack, PackAbout, PackWriter, adopt, checkpoint, recognise};
use crate::settings::Folders;
use crate::training::Variables;

/// Seed of the heads that are drawn anew when a feature network is replaced.
const HEADS_SEED: u64 = 1;

/// What to import.
#[derive(Debug, Clone)]
pub struct ImportRequest<'a> {
    /// Which network the file holds; `None` to tell by its parameters.
    pub network: Option<Network>,
    /// An official checkpoint or a pack's file.
    pub file: &'a Path,
    /// Name of the new pack; `None` for `<pack>+<network>`.
    pub name: Option<String>,
    /// SPDX expression of the weights, where it is known.
    pub licence: Option<&'a str>,
    /// Where the weights come from; `None` for the file's name.
    pub origin: Option<&'a str>,
}

/// Writes a copy of the pack `base` with one network replaced, into the user's packs. A pack of that name is replaced
/// whole. Heads fit only the features they were trained on: with another SlowFast or VGGish they start anew, which is
/// told as a warning and stands in the pack's provenance.
///
/// # Errors
/// When the checkpoint cannot be read, is of another network, or lacks a parameter; when `base` is damaged or of another
/// method than MRCMV; disk full.
pub fn import(
    base: &Pack,
    folders: &Folders,
    request: &ImportRequest<'_>,
    monitor: &Monitor,
) -> Result<Pack> {
    let about = &base.manifest;
    if about.method != "mrcmv" {
        return Err(Error::pack(format!(
            "the pack {} is of the method {}, which takes no imported networks; choose an mrcmv pack with --pack",
            about.name, about.method
        )));
    }
    monitor.progress("Reading the checkpoint", None);
    let checkpoint = checkpoint::read(request.file)?;
    let network = match request.network {
        Some(network) => network,
        None => recognise(&checkpoint).ok_or_else(|| {
            Error::input(
                request.file,
                "holds weights of none of slowfast, vggish, spleeter and mrcmv; choose another checkpoint",
            )
        })?,
    };
    if !Network::OF_A_PACK.contains(&network) {
        return Err(Error::input(
            request.file,
            format!(
                "holds {network}, which no pack of mrcmv has in it; train it with --method {network} instead"
            ),
        ));
    }
    let adopted = adopt(network, checkpoint)?;
    check(network, &adopted)?;
    monitor.check()?;

    monitor.progress("Writing the pack", Some(0.7));
    let replaced: &[&str] = match network {
        Network::SlowFast => &["slowfast"],
        Network::Vggish => &["vggish_voice", "vggish_bgm"],
        Network::Spleeter => &["spleeter"],
        Network::Mrcmv => &["mrcmv"],
        Network::Cmmr | Network::Cbvmr => &[],
    };
    let name = request
        .name
        .clone()
        .unwrap_or_else(|| format!("{}+{network}", about.name));
    let file_name = || {
        let name = request.file.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    };
    let mut provenance = format!(
        "{network} from {} ({}); the rest from the pack {}: {}",
        request.origin.map_or_else(file_name, str::to_owned),
        adopted.origin,
        about.name,
        about.provenance
    );
    let heads_anew = matches!(network, Network::SlowFast | Network::Vggish);
    if heads_anew {
        provenance = format!("mrcmv is untrained (drawn from seed {HEADS_SEED}); {provenance}");
    }
    let licence = match request.licence {
        Some(licence) if licence != about.licence => format!("{} AND {licence}", about.licence),
        Some(_) => about.licence.clone(),
        None => format!("{} AND LicenseRef-unknown", about.licence),
    };
    let mut writer = PackWriter::new(PackAbout {
        name: name.clone(),
        version: about.version.clone(),
        licence,
        provenance,
        method: about.method.clone(),
        without: about.without.clone(),
    })?;
    for &part in replaced {
        writer = writer.network(part, &adopted.config, adopted.parameters.tensors())?;
    }
    if heads_anew {
        let mut config: mrcmv::Config = base.config("mrcmv")?;
        if network == Network::SlowFast {
            let slowfast: slowfast::Config = adopted.config()?;
            (config.slow_dim, config.fast_dim) = slowfast.dims();
        }
        let heads = Variables::drawn(&Device::Cpu, HEADS_SEED, |vb| Mrcmv::new(&config, vb).map(drop))?;
        let tensors = heads.snapshot()?.into_iter().collect();
        writer = writer.network("mrcmv", &config, &tensors)?;
    }
    for part in about.networks.keys() {
        if !(replaced.contains(&part.as_str()) || heads_anew && part == "mrcmv") {
            writer = writer.unchanged(part, base)?;
        }
    }
    monitor.check()?;
    let pack = writer.write(&folders.packs().join(&name))?;
    if heads_anew {
        monitor.warn(format!(
            "{name}: its heads are untrained for the new features; train it (undertone --pack {name} train) before its \
             suggestions mean something"
        ));
    }
    Ok(pack)
}

/// That the network can be built from the checkpoint and uses all of it.
fn check(network: Network, adopted: &Adopted) -> Result<()> {
    let device = &Device::Cpu;
    match network {
        Network::SlowFast => adopted.build(device, SlowFast::new).map(drop),
        Network::Vggish => adopted.build(device, Vggish::new).map(drop),
        Network::Spleeter => adopted.build(device, Spleeter::new).map(drop),
        Network::Mrcmv => adopted.build(device, Mrcmv::new).map(drop),
        Network::Cmmr => adopted.build(device, Cmmr::new).map(drop),
        Network::Cbvmr => adopted.build(device, Cbvmr::new).map(drop),
    }
}
