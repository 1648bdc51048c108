//! What is trained: a method and its switches, and what they ask of corpus and pack.

use std::collections::BTreeSet;

use super::request::{FineTuneRequest, Method, Scope};
use crate::engine::Engine;
use crate::engine::clips::Listening;
use crate::engine::corpus::Inspected;
use crate::engine::pairs::Pairing;
use crate::error::{Error, ErrorKind, Result};
use crate::networks::mrcmv::{self, Norm};
use crate::networks::{cbvmr, cmmr, slowfast};
use crate::training::corpus::Split;
use crate::training::{Config, ObjectiveConfig, tag_names};

/// Networks that are of one method alone.
pub(super) const METHODS: [&str; 3] = ["mrcmv", "cmmr", "cbvmr"];

/// What learns, and the config of the method's own network.
pub(super) struct System<'a> {
    pub(super) engine: &'a Engine,
    pub(super) request: &'a FineTuneRequest,
    pub(super) network: Network,
}

pub(super) enum Network {
    Mrcmv(mrcmv::Config),
    Cmmr(cmmr::Config),
    Cbvmr(cbvmr::Config),
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

    /// What the system takes of the sounds.
    pub(super) fn listening(&self) -> Listening {
        match (&self.network, self.request.scope) {
            (Network::Mrcmv(_), Scope::Last | Scope::All) => Listening::Patches,
            (Network::Mrcmv(_) | Network::Cmmr(_), _) => Listening::Rows,
            (Network::Cbvmr(_), _) => Listening::Statistics,
        }
    }

    /// How pairs are made.
    pub(super) fn pairing(&self) -> Pairing {
        Pairing {
            leak_free: self.request.leak_free,
            cuts: self.request.cuts,
            renderings: self.request.renderings,
            seed: self.request.seed,
            visual_only: !matches!(self.network, Network::Mrcmv(_)),
        }
    }

    /// Epochs in which every item is drawn anew once. The baselines keep the pictures they began with: their first weights
    /// hold the scale of those.
    pub(super) fn period(&self) -> Option<usize> {
        self.request
            .redraw
            .filter(|_| matches!(self.network, Network::Mrcmv(_)))
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
