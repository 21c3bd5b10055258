"""`mmpipe train`: spaCy's training config and loop, with corpora of records, checkpoints and resumption."""
