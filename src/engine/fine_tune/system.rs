//! What is trained: a method, its switches and a scope become variables, something that learns, and in the end a pack.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use candle_core::Tensor;

use super::request::{FineTuneRequest, Method, Scope, Start};
use crate::engine::Engine;
use crate::engine::clips::{Clips, Listening};
use crate::engine::corpus::Inspected;
use crate::engine::pairs::{Pairing, Pairs, Understood, pairs};
use crate::error::{Error, ErrorKind, Result};
use crate::jobs::Monitor;
use crate::networks::cbvmr::{self, Cbvmr};
use crate::networks::cmmr::{self, Cmmr};
use crate::networks::mrcmv::{self, Mrcmv, Norm};
use crate::networks::slowfast;
use crate::networks::weights::PackWriter;
use crate::training::corpus::Split;
use crate::training::sampler::ItemShape;
use crate::training::{
    CbvmrSides, CmmrStreams, Config, EndToEnd, Example, Heads, Learner, ObjectiveConfig, Stored, Together,
    Variables, tag_names, tag_targets,
};

/// Networks that are of one method alone.
const METHODS: [&str; 3] = ["mrcmv", "cmmr", "cbvmr"];

/// What learns, and the config of the method's own network.
pub(super) struct System<'a> {
    engine: &'a Engine,
    request: &'a FineTuneRequest,
    network: Network,
}

enum Network {
    Mrcmv(mrcmv::Config),
    Cmmr(cmmr::Config),
    Cbvmr(cbvmr::Config),
}

/// Everything that a run needs of a system.
pub(super) struct Built {
    pub(super) variables: Variables,
    pub(super) learner: Box<dyn Learner>,
    pub(super) shapes: Vec<ItemShape>,
    pub(super) held_out: usize,
    pub(super) pairing: &'static str,
    pub(super) recognised: usize,
    pub(super) rejected: Vec<(String, String)>,
}

impl<'a> System<'a> {
    /// # Errors
    /// When the pack in use lacks what the method starts from, its networks do not fit each other, or the corpus lacks
    /// what the method learns from.
    pub(super) fn new(
        engine: &'a Engine,
        request: &'a FineTuneRequest,
        without: &BTreeSet<&str>,
        corpus: &Inspected,
    ) -> Result<Self> {
        let rows: slowfast::Config = engine.pack().config("slowfast")?;
        let (slow_dim, fast_dim) = rows.dims();
        let network = match request.method {
            Method::Mrcmv => {
                let own: mrcmv::Config = engine.pack().config("mrcmv")?;
                require_fit(engine, &own, (slow_dim, fast_dim))?;
                let norm = request.norm.unwrap_or(own.norm);
                require_ranked_as_trained(request, norm)?;
                Network::Mrcmv(mrcmv::Config {
                    sa: !without.contains("sa"),
                    cma: !without.contains("cma"),
                    gate: !without.contains("gate"),
                    norm,
                    ..own
                })
            }
            Method::Cmmr => {
                let tags = tag_names(corpus.split(Split::Train).map(|item| item.tags.as_slice()));
                if tags.is_empty() {
                    Network::Cmmr(taught(engine)?)
                } else {
                    Network::Cmmr(cmmr::Config {
                        slow_dim,
                        fast_dim,
                        tags,
                        ..cmmr::Config::default()
                    })
                }
            }
            Method::Cbvmr => Network::Cbvmr(cbvmr::Config {
                slow_dim,
                fast_dim,
                ..cbvmr::Config::default()
            }),
        };
        Ok(Self {
            engine,
            request,
            network,
        })
    }

    /// The method's word.
    pub(super) fn method(&self) -> &'static str {
        match self.network {
            Network::Mrcmv(_) => METHODS[0],
            Network::Cmmr(_) => METHODS[1],
            Network::Cbvmr(_) => METHODS[2],
        }
    }

    /// The config of the method's own network.
    pub(super) fn config(&self) -> serde_json::Value {
        let json = match &self.network {
            Network::Mrcmv(config) => serde_json::to_value(config),
            Network::Cmmr(config) => serde_json::to_value(config),
            Network::Cbvmr(config) => serde_json::to_value(config),
        };
        json.unwrap_or_default()
    }

    /// What stands in the provenance.
    pub(super) fn words(&self) -> &'static str {
        match (&self.network, self.request.scope) {
            (Network::Cmmr(_), _) => "CMMR",
            (Network::Cbvmr(_), _) => "CBVMR",
            (Network::Mrcmv(_), Scope::Heads) => "MRCMV's heads",
            (Network::Mrcmv(_), Scope::Last) => "MRCMV's heads and the last stages of SlowFast and VGGish",
            (Network::Mrcmv(_), Scope::All) => "MRCMV, SlowFast and VGGish together",
        }
    }

    /// Rate, losses and batch, unless the request has its own.
    pub(super) fn training(&self, without: &BTreeSet<&str>) -> Config {
        let own = || self.request.method.training();
        let mut config = self.request.training.clone().unwrap_or_else(own);
        if let Some(epochs) = self.request.epochs {
            config.epochs = epochs;
            config.until_converged = false;
        }
        config.seed = self.request.seed;
        config.patience = self.request.patience.or(config.patience);
        if without.contains("pseudo-label") || !matches!(self.network, Network::Mrcmv(_)) {
            config.lambda = 0.0;
        }
        if !matches!(self.network, Network::Mrcmv(_)) {
            config.modality_dropout = 0.0;
        }
        config
    }

    /// Makes or reads the features of the corpus and builds what learns from them.
    ///
    /// # Errors
    /// When a network cannot be loaded or the cache cannot be written; cancelled.
    pub(super) fn build(
        &self,
        corpus: &Inspected,
        on_item: &dyn Fn(Understood),
        monitor: &Monitor,
    ) -> Result<Built> {
        let listening = self.listening();
        let how = self.pairing();
        let clips = Clips::new(self.engine, listening)?;
        if listening == Listening::Patches {
            let made = pairs::<Stored, Stored>(&clips, corpus, how, on_item, monitor)?;
            let Network::Mrcmv(config) = &self.network else {
                return Err(Error::internal("only MRCMV is trained end to end"));
            };
            let shapes = made.examples.iter().map(Example::shape).collect();
            let held_out = made.validation.len();
            let (variables, constants) = self.variables_of_all(config)?;
            let learner = EndToEnd::new(
                &self.together(config)?,
                &variables,
                constants,
                made.examples,
                made.validation,
            )?;
            return Ok(Built {
                variables,
                learner: Box::new(learner),
                shapes,
                held_out,
                pairing: made.pairing,
                recognised: made.recognised,
                rejected: made.rejected,
            });
        }
        let made = pairs::<(Tensor, Tensor), Tensor>(&clips, corpus, how, on_item, monitor)?;
        let shapes = made.examples.iter().map(Example::shape).collect();
        let held_out = made.validation.len();
        let variables = self.variables()?;
        let learner: Box<dyn Learner> = match &self.network {
            Network::Mrcmv(config) => {
                Box::new(Heads::new(config, &variables, made.examples, made.validation)?)
            }
            Network::Cmmr(config) => {
                let tagged = made.tags.iter().any(|tags| !tags.is_empty());
                let targets: Vec<Vec<f32>> = made
                    .tags
                    .iter()
                    .map(|tags| tag_targets(&config.tags, tags))
                    .collect();
                let targets = tagged.then_some(targets.as_slice());
                Box::new(CmmrStreams::new(
                    config,
                    &variables,
                    made.examples,
                    targets,
                    made.validation,
                )?)
            }
            Network::Cbvmr(config) => Box::new(CbvmrSides::new(
                config,
                &variables,
                &made.examples,
                &made.validation,
            )?),
        };
        Ok(Built {
            variables,
            learner,
            shapes,
            held_out,
            pairing: made.pairing,
            recognised: made.recognised,
            rejected: made.rejected,
        })
    }

    /// Another draw of what `corpus`, whose items are those that the run uses, gives to learn from: the sampler's items and
    /// what learns from them on the same `variables`. What is drawn is kept in `folder`.
    ///
    /// # Errors
    /// As [`System::build`], and when an item can no longer be read.
    pub(super) fn redraw(
        &self,
        corpus: &Inspected,
        variables: &Variables,
        (number, every): (usize, usize),
        folder: PathBuf,
        monitor: &Monitor,
    ) -> Result<(Vec<ItemShape>, Box<dyn Learner>)> {
        let Network::Mrcmv(config) = &self.network else {
            return Err(Error::internal("only MRCMV draws its sounds anew"));
        };
        let clips = Clips::new(self.engine, self.listening())?.drawing_into(folder)?;
        let how = Pairing {
            draw: number,
            taken: every,
            ..self.pairing()
        };
        if self.listening() == Listening::Patches {
            let made = require_all(pairs::<Stored, Stored>(&clips, corpus, how, &|_| {}, monitor)?)?;
            let shapes = made.examples.iter().map(Example::shape).collect();
            let (_, constants) = self.variables_of_all(config)?;
            let learner = EndToEnd::new(
                &self.together(config)?,
                variables,
                constants,
                made.examples,
                Vec::new(),
            )?;
            return Ok((shapes, Box::new(learner)));
        }
        let made = require_all(pairs::<(Tensor, Tensor), Tensor>(
            &clips,
            corpus,
            how,
            &|_| {},
            monitor,
        )?)?;
        let shapes = made.examples.iter().map(Example::shape).collect();
        let learner = Heads::new(config, variables, made.examples, Vec::new())?;
        Ok((shapes, Box::new(learner)))
    }

    /// What the system takes of the sounds.
    fn listening(&self) -> Listening {
        match (&self.network, self.request.scope) {
            (Network::Mrcmv(_), Scope::Last | Scope::All) => Listening::Patches,
            (Network::Mrcmv(_) | Network::Cmmr(_), _) => Listening::Rows,
            (Network::Cbvmr(_), _) => Listening::Statistics,
        }
    }

    /// How the first draw is made.
    fn pairing(&self) -> Pairing {
        Pairing {
            leak_free: self.request.leak_free,
            cuts: self.request.cuts,
            renderings: self.request.renderings,
            draw: 0,
            taken: usize::MAX,
            seed: self.request.seed,
            visual_only: !matches!(self.network, Network::Mrcmv(_)),
        }
    }

    /// The method's own network: drawn, and where it starts from the pack and the pack has the same network, from there.
    fn variables(&self) -> Result<Variables> {
        let device = &self.engine.device().device;
        let seed = self.request.seed;
        let (variables, name, same) = match &self.network {
            Network::Mrcmv(config) => {
                let own: mrcmv::Config = self.engine.pack().config("mrcmv")?;
                let same = (own.sa, own.cma, own.gate) == (config.sa, config.cma, config.gate);
                let drawn = Variables::drawn(device, seed, |vb| Mrcmv::new(config, vb).map(drop))?;
                (drawn, "mrcmv", same)
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
        if self.request.start == Start::Pack && same {
            let parameters = self.engine.pack().parameters(name)?;
            for name in parameters.names() {
                if let Some(tensor) = parameters.get(name) {
                    variables.set(name, tensor)?;
                }
            }
        }
        Ok(variables)
    }

    /// Heads and feature networks: what learns, and the rest. Feature networks start as they are in the pack.
    fn variables_of_all(&self, config: &mrcmv::Config) -> Result<(Variables, HashMap<String, Tensor>)> {
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

    fn together(&self, config: &mrcmv::Config) -> Result<Together> {
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
        // res5 of SlowFast, the fully connected layers of VGGish.
        Scope::Last if network == Together::SLOWFAST => name.starts_with("blocks.4."),
        Scope::Last => name.starts_with("embeddings."),
        Scope::All => true,
    }
}

/// Fails where an item was left out, since another would stand in its place.
fn require_all<P, S>(pairs: Pairs<P, S>) -> Result<Pairs<P, S>> {
    match pairs.rejected.first() {
        None => Ok(pairs),
        Some((id, reason)) => Err(Error::new(
            ErrorKind::Input,
            format!("{id} can no longer be learnt from ({reason}); put it back and resume"),
        )),
    }
}

/// The tags of the pack in use, for a corpus that has none.
fn taught(engine: &Engine) -> Result<cmmr::Config> {
    if engine.pack().manifest.method != "cmmr" {
        return Err(Error::new(
            ErrorKind::Input,
            "no training item has tags, and CMMR learns from them; add tags to corpus.json, or start with --pack from a \
             pack of cmmr that was trained on a tagged corpus",
        ));
    }
    engine.pack().config("cmmr")
}

/// The contrastive loss knows angles alone, and without a norm it is distances that are ranked by.
fn require_ranked_as_trained(request: &FineTuneRequest, norm: Norm) -> Result<()> {
    let objective = request.training.as_ref().map(|training| training.objective);
    if norm == Norm::None && matches!(objective, Some(ObjectiveConfig::Contrastive { .. })) {
        return Err(Error::new(
            ErrorKind::Input,
            "--objective contrastive compares directions, and --norm none ranks by distance; choose --norm unit or \
             sqrt-dim",
        ));
    }
    Ok(())
}

/// Fails where the heads expect rows of another width than SlowFast gives.
fn require_fit(engine: &Engine, heads: &mrcmv::Config, rows: (usize, usize)) -> Result<()> {
    if (heads.slow_dim, heads.fast_dim) == rows {
        return Ok(());
    }
    Err(Error::pack(format!(
        "pack {}: mrcmv takes picture rows of {} and {} channels and its slowfast gives {} and {}; choose another pack",
        engine.pack().manifest.name,
        heads.slow_dim,
        heads.fast_dim,
        rows.0,
        rows.1
    )))
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
    }
}
