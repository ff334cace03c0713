"""The pages of datasets, of intervals and of windows, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.audit import inspection, structure_inspection
from pipelines.build.pipeline import build
from pipelines.config import DatasetConfig, validate
from pipelines.progress import Silent
from tests.browser import WholePage
from tests.conftest import GenomeFiles
from tests.pipelines.build import gene_genomes

pytestmark = [pytest.mark.full, pytest.mark.ray]


@pytest.fixture(scope="module", params=["intervals", "windows"])
def file(request: pytest.FixtureRequest, genome: GenomeFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    if request.param == "intervals":
        values = {"sources": [genome.source()], "split": {"test": ["chr4"], "validation": ["chr3"]}}
        connect = request.getfixturevalue("in_this_process")
        build(validate(DatasetConfig, values, "test"), folder / "data", connect, Silent())
        built = inspection.inspect(folder / "data").page("raygene inspect data")
    else:
        genes = gene_genomes.make_gene_genome(folder / "genes")
        dataset = gene_genomes.write_dataset(gene_genomes.structure_config(genes), folder / "data")
        built = structure_inspection.inspect(dataset).page("raygene inspect data")
    built.write(folder / "report.html")
    return folder / "report.html"


class TestDatasetPages(WholePage):
    pass
