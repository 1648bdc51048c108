//! Nothing trivial identifies a pair: what must stay at chance.
