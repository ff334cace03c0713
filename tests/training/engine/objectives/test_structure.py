from __future__ import annotations

import copy
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import TrainingError
from pipelines.structure import states
from pipelines.structure.states import MASKED, STATES
from tests.pipelines.build.gene_genomes import make_gene_genome, structure_config, write_dataset
from tests.training.engine.fitting import Threads, losses
from tests.training.gene_windows import MODEL, training_of, write_gene_windows
from training import networks
from training.config import TrainingConfig
from training.data.batch import TokenBatch
from training.decoding.settings import Settings
from training.engine import loop
from training.engine.collective import Alone
from training.engine.objectives.by_task import objective_of
from training.engine.objectives.fitted_decoding import fitted_decoding
from training.engine.objectives.structure import Structure
from training.engine.objectives.window_scores import centre_codes, labelled_stretches
from training.engine.observer import Observer
from training.engine.state import CPU
from training.memory.plan import step_allowance
from training.memory.validation import SMALL
from training.splits import open_splits
from training.structure.batch import StructureBatch
from training.structure.network import Outputs
from training.tasks import Task

Splits = tuple[TokenDataset, TokenDataset]


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> Splits:
    return open_splits(write_gene_windows(tmp_path_factory.mktemp("windows")))


class Oracle(nn.Module):
    """Gives the labels of a batch as sure scores, or no numbers at all."""

    def __init__(self, certainty: float = 0.99) -> None:
        super().__init__()
        self.embedding = nn.Embedding(1, 1)
        self._certainty = certainty

    def forward(self, batch: TokenBatch) -> Outputs:
        assert isinstance(batch, StructureBatch)
        packed = batch.padded_states().numpy()
        logits = np.full((*packed.shape, 2, STATES), np.log((1 - self._certainty) / (STATES - 1)), np.float32)
        sites = np.zeros((*packed.shape, 2, states.SITES), np.float32)
        for row, window in enumerate(packed):
            for strand, own in enumerate(states.unpack(window)):
                known = own != MASKED
                logits[row, known, strand, own[known]] = np.log(self._certainty)
                found = states.sites(own[::-1] if strand else own)
                values = np.where(found.is_known, np.where(found.is_site, 4.0, -4.0), 0.0)
                sites[row, :, strand] = values[::-1] if strand else values
        return Outputs(torch.from_numpy(logits), torch.from_numpy(sites))


def start(splits: Splits, config: TrainingConfig) -> loop.State:
    task = Task.of_dataset(splits[0].manifest["config"])
    return loop.start(networks.fresh(task, MODEL, splits[0].tokenizer, config.seed), config)


def fit(
    splits: Splits, config: TrainingConfig, document: dict[str, Any] | None = None, allowance: int | None = None
) -> loop.State:
    state = start(splits, config)
    if document:
        state.restore(copy.deepcopy(document))
    objective = objective_of(config, splits[0])
    assert loop.fit(state, *splits, config, Alone(), CPU, objective=objective, allowance=allowance)
    return state


def test_a_model_that_knows_the_labels_has_every_exon_right(splits: Splits) -> None:
    train, validation = splits
    objective = objective_of(training_of(), train)
    figures = objective.validate(Oracle(), validation, Alone(), CPU)
    assert objective.criterion == "validation_exon_f1"
    assert figures["validation_exon_f1"] > 0.97
    assert figures["validation_cds_f1"] > 0.97
    assert figures["validation_accuracy"] == 1.0
    assert set(objective.train_figures(Oracle(), train, 8, CPU)) == {"train_exon_f1", "train_cds_f1"}


def test_figures_of_validation_have_the_same_bits_whatever_the_workers(splits: Splits) -> None:
    train, validation = splits
    objective, model = objective_of(training_of(), train), start(splits, training_of()).model
    alone = objective.validate(model, validation, Alone(), CPU)
    board: list[Any] = [None] * 3
    barrier = threading.Barrier(3)
    figures: dict[int, dict[str, Any]] = {}

    def work(rank: int) -> None:
        group = Threads(rank, 3, board, barrier)
        figures[rank] = objective_of(training_of(), train).validate(copy.deepcopy(model), validation, group, CPU)

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=300)
    assert figures == {0: alone, 1: alone, 2: alone}


def test_outputs_that_are_no_numbers_are_an_error_with_a_fix(splits: Splits) -> None:
    train, validation = splits
    with pytest.raises(TrainingError, match="learning_rate"):
        objective_of(training_of(), train).validate(Oracle(float("nan")), validation, Alone(), CPU)


def test_the_curve_depends_neither_on_the_token_budget_nor_on_workers(splits: Splits) -> None:
    config = training_of(max_grad_norm=100.0)
    expected = losses(fit(splits, config).records)
    assert expected[1, 0] < expected[0, 0]
    cut = fit(splits, config.model_copy(update={"token_budget": 1_100}))
    np.testing.assert_allclose(losses(cut.records), expected, rtol=1e-4)
    board: list[Any] = [None] * 2
    barrier = threading.Barrier(2)
    states_of = [start(splits, config) for _ in range(2)]

    def work(rank: int) -> None:
        group = Threads(rank, 2, board, barrier)
        loop.fit(states_of[rank], *splits, config, group, CPU, objective=objective_of(config, splits[0]))

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=300)
    for state in states_of:
        np.testing.assert_allclose(losses(state.records), expected, rtol=1e-4)


def test_resuming_within_an_epoch_gives_the_same_weights(splits: Splits) -> None:
    config = training_of()
    saved: list[dict[str, Any]] = []

    class Keeper(Observer):
        def checkpoint_due(self, state: loop.State) -> bool:
            return (state.epoch, state.step) == (1, 3)

        def checkpoint(self, state: loop.State) -> None:
            saved.append(copy.deepcopy(state.document()))

    state = start(splits, config)
    assert loop.fit(state, *splits, config, Alone(), CPU, Keeper(), objective=objective_of(config, splits[0]))
    resumed = fit(splits, config, saved[0])
    for name, tensor in state.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name])
    assert resumed.best_record["epoch"] == state.best_record["epoch"]


def test_memory_that_is_given_back_does_not_change_the_curve(splits: Splits) -> None:
    train = splits[0]
    planned = step_allowance(MODEL, training_of(), train.lengths, train.tokenizer.vocabulary_size, "structure")
    assert planned is not None
    assert planned > SMALL
    free, held = (fit(splits, training_of(), allowance=allowance) for allowance in (None, 1))
    assert np.array_equal(losses(held.records), losses(free.records))
    assert all(torch.equal(*pair) for pair in zip(held.model.parameters(), free.model.parameters(), strict=True))


def test_windows_are_drawn_anew_for_each_epoch_and_the_same_again_for_the_same(splits: Splits) -> None:
    train, _ = splits
    rows = np.arange(6)

    def tokens(objective: Any, epoch: int) -> Tensor:
        batch: TokenBatch = objective.collate(train, epoch, rows)
        return batch.tokens

    objective = objective_of(training_of(), train)
    first, second = tokens(objective, 0), tokens(objective, 1)
    assert not torch.equal(first, second)
    assert torch.equal(tokens(objective, 0), first)
    plain = objective_of(training_of(shift=False, reverse_complement=False), train)
    stored = torch.from_numpy(train.tokens[: train.offsets[6]].astype(np.int64))
    assert torch.equal(tokens(plain, 0), stored)
    assert torch.equal(tokens(plain, 1), stored)


def test_the_decoder_is_fitted_to_the_same_settings_again(splits: Splits) -> None:
    train, validation = splits
    settings, figures = fitted_decoding(Oracle(0.6), train, validation, training_of())
    assert fitted_decoding(Oracle(0.6), train, validation, training_of()) == (settings, figures)
    assert Settings.from_document(settings).minimum.intron >= 30
    assert figures["bases"] == len(validation.tokens)
    assert 0 < figures["exon_f1"] <= 1


def test_a_part_of_validation_is_decoded(splits: Splits) -> None:
    train, validation = splits
    config = training_of(validation_bases=1)
    _, figures = fitted_decoding(Oracle(), train, validation, config)
    assert figures["bases"] == len(validation.tokens)


def test_each_genome_is_decoded_with_its_own_genetic_code(tmp_path: Path) -> None:
    genomes = [make_gene_genome(tmp_path / name, seed=seed, bases=4_000) for seed, name in enumerate(("a", "b"))]
    # No gene of the first genome ends with a stop codon of its code, so that all that are labelled are the second's.
    codes = [{"genetic_code": code} for code in (6, 1)]
    sources = [genome.source(f"g{code['genetic_code']}") | code for genome, code in zip(genomes, codes, strict=True)]
    train, validation = open_splits(write_dataset(structure_config(sources=sources), tmp_path / "data"))
    _, figures = fitted_decoding(Oracle(), train, validation, training_of())
    assert figures["exon_f1"] == figures["gene_f1"] == 1
    assert objective_of(training_of(), train).validate(Oracle(), validation, Alone(), CPU)["validation_exon_f1"] == 1


def test_base_codes_are_read_from_tokens(splits: Splits) -> None:
    train, _ = splits
    codes = np.concatenate([codes for _, codes in labelled_stretches(train)])
    packed = np.concatenate([packed for packed, _ in labelled_stretches(train)])
    assert np.array_equal(packed, train.states)
    assert len(codes) == len(train.tokens)
    assert centre_codes(train.tokenizer).tolist()[3:7] == [0, 0, 0, 0]
    starts = np.flatnonzero(np.diff((states.unpack(packed)[0] == states.CDS_0).astype(int)) == 1) + 1
    assert (codes[starts][:1] <= 3).all()


def test_structure_is_the_objective_of_a_dataset_of_windows(splits: Splits) -> None:
    assert isinstance(objective_of(training_of(), splits[0]), Structure)
