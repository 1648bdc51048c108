//! Arguments of `models`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::networks::weights::Network;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ModelsCommand {
    /// All packs with licence, size and origin
    List {
        /// What can be downloaded instead
        #[arg(long)]
        available: bool,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Check every file of every pack, or of the named ones, against its sha256
    Verify {
        /// Pack names or folders
        #[arg(value_name = "NAME_OR_DIR")]
        packs: Vec<String>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Make a pack of the one in use with a network from a checkpoint
    Import {
        /// Official checkpoint, TensorFlow index, release archive or safetensors
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Which network it holds: slowfast, vggish, spleeter or mrcmv
        #[arg(long = "as", value_name = "NETWORK")]
        network: Network,
        /// Name of the new pack [default: <pack in use>+<network>]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// Fetch an official checkpoint, check it and import it; again to go on or to repair
    Download {
        /// A name of `models list --available`, or a downloaded pack that is damaged
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Remove a pack of your own, or what came of an interrupted download
    Remove {
        /// The pack's name, or a name of `models list --available`
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Run one network on given tensors, to compare numbers and time
    Run(ModelsRunArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ModelsRunArgs {
    /// slowfast, vggish, spleeter, mrcmv, cmmr or cbvmr
    pub(in crate::cli) network: Network,
    /// A pack's file or an official checkpoint
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) weights: PathBuf,
    /// Safetensors with the network's inputs
    #[arg(long, value_name = "X.safetensors")]
    pub(in crate::cli) input: PathBuf,
    /// Where the outputs go, as safetensors
    #[arg(long, value_name = "Y.safetensors")]
    pub(in crate::cli) out: PathBuf,
    /// How often to run it
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) repeat: u32,
    /// Print one JSON document
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
