"""One file a kind of work: each prints a table of its ways."""
