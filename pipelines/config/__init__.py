"""The sections of an experiment that determine a dataset's content, as typed models.

The names of fields are public: they are the keys of the YAML file and the flags of the command line.
"""

from __future__ import annotations

from pipelines.config.crop import CropConfig
from pipelines.config.dataset import DatasetConfig
from pipelines.config.negatives import GENE_LIKE, KINDS, NegativesConfig
from pipelines.config.section import Section
from pipelines.config.sources import SourceConfig
from pipelines.config.split import SplitConfig
from pipelines.config.tokenizer import TokenizerConfig
from pipelines.config.validation import renamed_key, validate

__all__ = [
    "GENE_LIKE",
    "KINDS",
    "CropConfig",
    "DatasetConfig",
    "NegativesConfig",
    "Section",
    "SourceConfig",
    "SplitConfig",
    "TokenizerConfig",
    "renamed_key",
    "validate",
]
