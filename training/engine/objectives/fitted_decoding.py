"""Fits the decoder of a trained model: terms of the grammar on train, weights on a part of validation.

It runs in one process on the CPU, with the weights of the best epoch, so that the same run gives the same settings.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from pipelines.config.structure import genetic_codes
from pipelines.dataset.token_dataset import TokenDataset
from training.config import TrainingConfig
from training.decoding.fit import Example, fit
from training.engine.objectives.structure import initial_settings, loss_weights, pieces_of
from training.engine.objectives.window_scores import centre_codes, labelled_stretches, piece_scores
from training.engine.state import CPU
from training.structure.windows import Windows


def fitted_decoding(
    model: nn.Module, train: TokenDataset, validation: TokenDataset, config: TrainingConfig
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The decoder's settings as JSON has them, and what they reach on validation: `bases`, `exon_f1`, `gene_f1`.

    Args:
        model: on the CPU.
        train: whose labels give lengths and transitions.
        validation: of which `validation_bases` decide the weights; their scores take 96 bytes a base.
        config: the optimisation, as `Task.training` gives it.
    """
    windows, centres = Windows.of(validation), centre_codes(validation.tokenizer)
    weights = loss_weights(config, train)
    codes, genomes = genetic_codes(validation.manifest["config"]), validation.table["genome"]
    examples = []
    for rows in pieces_of(windows, int(config.validation_bases or 1)):
        scored = piece_scores(model, windows, centres, rows, weights, config.budget, CPU)
        genetic_code = codes[genomes[int(rows[0])].as_py()]
        examples.append(Example(scored.scores, scored.codes, scored.packed, genetic_code))
    fitted = fit(labelled_stretches(train), examples, initial_settings(train))
    figures = {
        "bases": sum(len(example.codes) for example in examples),
        "exon_f1": fitted.exon_f1,
        "gene_f1": fitted.gene_f1,
    }
    return fitted.settings.model_dump(mode="json"), figures
