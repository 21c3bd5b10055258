"""Judging a pipeline, or results that it wrote, against gold."""
