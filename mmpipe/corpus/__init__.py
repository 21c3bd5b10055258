"""A run over a corpus: sources, readers, writers, and what happens to a record."""
