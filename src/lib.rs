//! Undertone.
