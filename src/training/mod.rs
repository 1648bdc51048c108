//! Corpora, losses, schedule and trainer (3.3 and 4 of the paper).

pub mod corpus;
