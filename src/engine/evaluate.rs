//! The paper's Table 1 for any corpus.
