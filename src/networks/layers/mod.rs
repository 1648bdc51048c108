//! Layers that the networks share. The one `Conv` every network uses lives here.
