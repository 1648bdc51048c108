//! Short-time Fourier transform and its inverse, as Spleeter uses them: 4096-point
//! periodic Hann window, hop 1024.
