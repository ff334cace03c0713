"""The page of an embedding in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.progress import Silent
from tests.browser import WholePage
from tests.conftest import GenomeFiles
from tests.training.embed.test_run import of_genome
from training.embed.run import embed

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def file(genome: GenomeFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return embed(of_genome(genome), 8, tmp_path_factory.mktemp("embeddings"), Silent()).path.with_suffix(".html")


class TestEmbeddingPage(WholePage):
    pass
