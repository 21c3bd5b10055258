"""Model references, and thinc models built on Hugging Face modules. Hugging Face names stay in this folder."""
