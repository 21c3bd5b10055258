"""One schema for a pipeline; .cfg, .toml, .yaml, .json, a dict and a saved folder are spellings of it."""

from mmpipe.config.overrides import parse_overrides
from mmpipe.config.pipeline import Pipeline, read_pipeline

__all__ = ["Pipeline", "parse_overrides", "read_pipeline"]
