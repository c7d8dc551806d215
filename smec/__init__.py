"""Learned compression of retrieval embeddings: SMEC reproduced, measured and extended."""

__version__ = "0.1.0"
