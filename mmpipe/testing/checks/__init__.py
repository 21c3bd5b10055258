"""The checks of the contracts of components, readers and writers, one family a file."""
