//! A game as a picture.
