"""Measures of quality, one file a family: plain Python and numpy over plain JSON values, without spaCy or torch."""
