//! What learns and what does not: the first weights of a run, and the pack that the last ones become part of.

use std::collections::{BTreeMap, HashMap};

use candle_core::Tensor;

use super::request::{Scope, Start};
use super::system::{METHODS, Network, System};
use crate::error::Result;
use crate::networks::cbvmr::{self, Cbvmr};
use crate::networks::cmmr::{self, Cmmr};
use crate::networks::mrcmv::{self, Mrcmv};
use crate::networks::weights::PackWriter;
use crate::training::{Together, Variables};

impl System<'_> {
    /// The method's own network: drawn, and where it starts from the pack, each module that the pack has too from there. So
    /// a row without a module begins as the full model does but for that module.
    pub(super) fn variables(&self) -> Result<Variables> {
        let device = &self.engine.device().device;
        let seed = self.request.seed;
        let (variables, name, fits) = match &self.network {
            Network::Mrcmv(config) => {
                let drawn = Variables::drawn(device, seed, |vb| Mrcmv::new(config, vb).map(drop))?;
                // Its modules fit whatever switches the pack has.
                (drawn, "mrcmv", true)
            }
            Network::Cmmr(config) => {
                let own: Option<cmmr::Config> = self.engine.pack().config("cmmr").ok();
                let drawn = Variables::drawn(device, seed, |vb| Cmmr::new(config, vb).map(drop))?;
                (drawn, "cmmr", own.as_ref() == Some(config))
            }
            Network::Cbvmr(config) => {
                let own: Option<cbvmr::Config> = self.engine.pack().config("cbvmr").ok();
                let drawn = Variables::drawn(device, seed, |vb| Cbvmr::new(config, vb).map(drop))?;
                (drawn, "cbvmr", own.as_ref() == Some(config))
            }
        };
        if self.request.start == Start::Pack && fits {
            let parameters = self.engine.pack().parameters(name)?;
            for (name, _) in variables.iter() {
                if let Some(tensor) = parameters.get(name) {
                    variables.set(name, tensor)?;
                }
            }
        }
        Ok(variables)
    }

    /// Heads and feature networks: what learns, and the rest. Feature networks start as they are in the pack.
    pub(super) fn variables_of_all(
        &self,
        config: &mrcmv::Config,
    ) -> Result<(Variables, HashMap<String, Tensor>)> {
        let mut variables = self.variables()?;
        let mut constants = HashMap::new();
        for network in feature_networks(config) {
            let parameters = self.engine.pack().parameters(network)?;
            for name in parameters.names() {
                let Some(tensor) = parameters.get(name) else {
                    continue;
                };
                let path = format!("{network}.{name}");
                if learns(network, name, self.request.scope) {
                    variables.insert(&path, tensor)?;
                } else {
                    constants.insert(path, tensor.to_device(&self.engine.device().device)?);
                }
            }
        }
        Ok((variables, constants))
    }

    pub(super) fn together(&self, config: &mrcmv::Config) -> Result<Together> {
        let pack = self.engine.pack();
        Ok(Together {
            mrcmv: config.clone(),
            slowfast: pack.config(Together::SLOWFAST)?,
            vggish_voice: pack.config(Together::VGGISH_VOICE)?,
            vggish_bgm: pack.config(Together::VGGISH_BGM)?,
        })
    }

    /// Adds all networks of the pack: what was trained, and what was not as it is in the pack in use.
    ///
    /// # Errors
    /// When the pack in use is damaged.
    pub(super) fn write(
        &self,
        mut writer: PackWriter,
        weights: &BTreeMap<String, Tensor>,
    ) -> Result<PackWriter> {
        let pack = self.engine.pack();
        let mut own: HashMap<String, Tensor> = weights.clone().into_iter().collect();
        let mut trained: Vec<&str> = Vec::new();
        if let (Network::Mrcmv(config), Scope::Last | Scope::All) = (&self.network, self.request.scope) {
            for network in feature_networks(config) {
                let parameters = pack.parameters(network)?;
                let mut tensors: HashMap<String, Tensor> = HashMap::new();
                for name in parameters.names() {
                    let learnt = own.remove(&format!("{network}.{name}"));
                    if let Some(tensor) = learnt.or_else(|| parameters.get(name).cloned()) {
                        tensors.insert(name.to_owned(), tensor);
                    }
                }
                writer = writer.network(network, &pack.config::<serde_json::Value>(network)?, &tensors)?;
                trained.push(network);
                if config.share && network == Together::VGGISH_VOICE {
                    let shared = Together::VGGISH_BGM;
                    writer = writer.network(shared, &pack.config::<serde_json::Value>(network)?, &tensors)?;
                    trained.push(shared);
                }
            }
        }
        writer = match &self.network {
            Network::Mrcmv(config) => writer.network(self.method(), config, &own)?,
            Network::Cmmr(config) => writer.network(self.method(), config, &own)?,
            Network::Cbvmr(config) => writer.network(self.method(), config, &own)?,
        };
        for network in pack.manifest.networks.keys() {
            if !METHODS.contains(&network.as_str()) && !trained.contains(&network.as_str()) {
                writer = writer.unchanged(network, pack)?;
            }
        }
        Ok(writer)
    }
}

/// The feature networks with parameters of their own.
fn feature_networks(config: &mrcmv::Config) -> Vec<&'static str> {
    let mut networks = vec![Together::SLOWFAST, Together::VGGISH_VOICE];
    if !config.share {
        networks.push(Together::VGGISH_BGM);
    }
    networks
}

/// Whether a parameter of a feature network learns. Running statistics never do.
fn learns(network: &str, name: &str, scope: Scope) -> bool {
    if name.contains(".running_") {
        return false;
    }
    match scope {
        Scope::Heads => false,
        // res5 of SlowFast, the fully connected layers of VGGish and the one beside them.
        Scope::Last if network == Together::SLOWFAST => name.starts_with("blocks.4."),
        Scope::Last => name.starts_with("embeddings.") || name.starts_with("chroma."),
        Scope::All => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_a_set_of_parameters() {
        let check = |network: &str, name: &str, last: bool, all: bool| {
            assert!(!learns(network, name, Scope::Heads));
            assert_eq!(learns(network, name, Scope::Last), last, "{network} {name}");
            assert_eq!(learns(network, name, Scope::All), all, "{network} {name}");
        };
        let block = |stage: usize, rest: &str| format!("blocks.{stage}.multipathway_blocks.0.{rest}");
        check("slowfast", &block(0, "conv.weight"), false, true);
        check(
            "slowfast",
            &block(3, "res_blocks.0.branch2.conv_a.weight"),
            false,
            true,
        );
        check(
            "slowfast",
            &block(4, "res_blocks.0.branch2.norm_a.weight"),
            true,
            true,
        );
        check(
            "slowfast",
            &block(4, "res_blocks.0.branch2.norm_a.running_mean"),
            false,
            false,
        );
        check("vggish_voice", "features.13.weight", false, true);
        check("vggish_bgm", "embeddings.4.bias", true, true);
        check("vggish_bgm", "chroma.weight", true, true);
    }
}
