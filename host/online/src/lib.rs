//! Pre-images from nodes.
