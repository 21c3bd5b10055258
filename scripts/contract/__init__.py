"""The contract with plugin authors, read from the source: what is public, what it looks like, how it is described."""
