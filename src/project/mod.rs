//! One edit: which video, which candidate, how mixed; saved, undone, redone.
