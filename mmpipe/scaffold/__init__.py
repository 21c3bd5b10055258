"""New plugins: what `mmpipe plugins new` writes. The templates lie in `templates/`, a folder a kind."""
