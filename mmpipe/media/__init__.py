"""Media that records name: references to them, where they may come from, and opening them. No Pillow until one opens.

A reference is plain JSON data and stands in `doc._.media`: `path` as the record wrote it, `root` (the folder that
it is relative to, absolute), `sha256`, `media_type` and `size` in bytes. Of a URL, `root`, `sha256` and `size` are
None: nothing is fetched before a component opens it.
"""
