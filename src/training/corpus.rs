//! `corpus.json`: videos with their splits, and optional clean stems.
