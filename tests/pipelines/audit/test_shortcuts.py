from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.audit import shortcuts
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.genome import sequence
from pipelines.tokens.tokenizer import Tokenizer
from pipelines.tokens.vocabulary import UNK

complete = st.integers(1, 6).flatmap(
    lambda k: st.builds(Tokenizer, st.just(k), st.integers(1, k), st.sampled_from(["anchor", "drop", "partial"]))
)
observed = st.builds(
    lambda tokenizer, seed: tokenizer.restrict_to_observed(
        np.append(2, np.random.default_rng(seed).integers(1, 3, tokenizer.vocabulary_size - 1))[::-1], 2
    ),
    complete,
    st.integers(0, 99),
)
tokenizers = complete | observed


def dataset(texts: list[str], labels: list[int], tokenizer: Tokenizer) -> TokenDataset:
    lengths = np.array([len(text) for text in texts])
    codes = sequence.base_codes(np.frombuffer("".join(texts).encode(), np.uint8))
    tokens, counts = tokenizer.encode_many(codes, lengths)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    table = pa.table(
        {
            "start": np.zeros(len(texts), np.int64),
            "end": lengths,
            "gc": pa.array([sum(base in "GC" for base in text) / len(text) for text in texts], pa.float32()),
            "soft_masked_share": pa.array([0.0] * len(texts), pa.float32()),
            "unknown_share": pa.array([(row == UNK).mean() for row in np.split(tokens, offsets[1:-1])], pa.float32()),
        }
    )
    return TokenDataset({}, tokenizer, "test", tokens, offsets, np.array(labels, np.int8), table)


def shown_bases(text: str, tokenizer: Tokenizer) -> list[int]:
    """What the tokens show of each base: 0 to 3, or 4 where every k-mer over it is unknown."""
    if len(text) < tokenizer.k:
        return [4] * len(text)
    last = len(text) - tokenizer.k
    starts = list(range(0, last + 1, tokenizer.stride))
    words = [(start, text[start : start + tokenizer.k]) for start in starts]
    end = starts[-1] + tokenizer.k
    if tokenizer.tail == "anchor":
        words.append((last, text[last:]))
    elif tokenizer.tail == "partial":
        words.append((end, text[end:]))
    shown = [4] * (end if tokenizer.tail == "drop" else len(text))
    for start, word in words:
        if word in tokenizer.vocabulary:
            shown[start : start + len(word)] = ["ACGT".index(base) for base in word]
    return shown


@given(tokenizers, st.lists(st.text(alphabet="ACGTN", min_size=1, max_size=20), min_size=1, max_size=6))
def test_the_six_bases_at_each_end_are_those_the_tokens_show(tokenizer: Tokenizer, texts: list[str]) -> None:
    rows = dataset(texts, [0] * len(texts), tokenizer)
    first, last = (ends(rows, np.arange(len(texts))) for ends in (shortcuts.first_six, shortcuts.last_six))
    for number, text in enumerate(texts):
        shown = shown_bases(text, tokenizer)
        assert first[number].tolist() == (shown + [4] * 6)[:6]
        assert last[number].tolist() == ([4] * 6 + shown)[-6:]


def planted(count: int, seed: int, length: int = 60) -> tuple[list[str], list[int]]:
    generator = np.random.default_rng(seed)
    labels = [number % 2 for number in range(count)]
    texts = ["".join(generator.choice(list("ACGT"), size=length)) for _ in labels]
    return ["ATG" + text[3:-3] + "TAA" if label else text for text, label in zip(texts, labels, strict=True)], labels


def test_the_audit_finds_planted_ends_and_nothing_in_constant_columns() -> None:
    tokenizer = Tokenizer(3, 1, "anchor")
    train, scored = (dataset(*planted(2000, seed), tokenizer) for seed in (0, 1))
    aurocs = {rule.name: rule.metrics["auroc"] for rule in shortcuts.audit(train, scored)}
    assert aurocs["ends"] > 0.95
    assert aurocs["first_six"] > 0.9
    assert aurocs["length"] == 0.5
    assert aurocs["soft_masked"] == aurocs["unknown"] == 0.5
    assert abs(aurocs["gc"] - 0.5) < 0.15


def test_six_bases_score_the_log_odds_of_their_counts_in_train_plus_a_half() -> None:
    tokenizer = Tokenizer(3, 1, "anchor")
    train = dataset(["ATGAAACC"] * 3 + ["TTTTTTCC"] * 2, [1, 1, 0, 0, 0], tokenizer)
    scored = dataset(["ATGAAAGG", "TTTTTTGG", "CCCCCCGG"], [1, 0, 0], tokenizer)
    rule = next(rule for rule in shortcuts.audit(train, scored) if rule.name == "first_six")
    # Two genes and three negatives in train, and half an occurrence of each of the 4^6 hexamers.
    genes, negatives = 2 + 4**6 / 2, 3 + 4**6 / 2
    counts = np.array([[2.5, 1.5], [0.5, 2.5], [0.5, 0.5]])
    assert rule.scores == pytest.approx(np.log(counts[:, 0] / genes) - np.log(counts[:, 1] / negatives))


def test_rules_do_not_depend_on_how_many_rows_are_looked_at_together(monkeypatch: pytest.MonkeyPatch) -> None:
    train, scored = (dataset(*planted(100, seed), Tokenizer(3, 1, "anchor")) for seed in (0, 1))
    together = shortcuts.audit(train, scored)
    monkeypatch.setattr(shortcuts, "CHUNK_ROWS", 7)
    for rule, other in zip(together, shortcuts.audit(train, scored), strict=True):
        assert rule.name == other.name
        assert np.array_equal(rule.scores, other.scores)


def test_a_rule_learns_on_train_which_way_it_points() -> None:
    tokenizer = Tokenizer(3, 1, "anchor")
    texts, labels = ["AAAATTTT" * 4] * 20 + ["GGGGCCCC" * 4] * 20, [1] * 20 + [0] * 20
    rows = dataset(texts, labels, tokenizer)
    assert {rule.name: rule.metrics["auroc"] for rule in shortcuts.audit(rows, rows)}["gc"] == 1.0


def test_runs_of_n_in_genes_alone_are_found() -> None:
    texts, labels = planted(200, 0)
    hidden = [
        "NNNNNN" + text[6:] if label and number % 3 else text
        for number, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]
    rows = dataset(hidden, labels, Tokenizer(3, 1, "anchor"))
    aurocs = {rule.name: rule.metrics["auroc"] for rule in shortcuts.audit(rows, rows)}
    assert aurocs["unknown"] > 0.8
    assert aurocs["length"] == 0.5


def test_kmers_are_a_rule_only_where_a_validation_split_or_the_caller_asks_for_it() -> None:
    train, held_out, scored = (dataset(*planted(200, seed), Tokenizer(3, 1, "anchor")) for seed in range(3))
    assert "kmers" not in {rule.name for rule in shortcuts.audit(train, scored)}
    for rules in (shortcuts.audit(train, scored, held_out), shortcuts.audit(train, scored, kmers=True)):
        rule = next(rule for rule in rules if rule.name == "kmers")
        assert rule.description == "5-mer logistic regression"
        assert len(rule.scores) == len(scored)


def test_the_kmer_rule_says_how_many_rows_it_was_fitted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortcuts.kmer_regression, "MAX_ROWS", 100)
    rows = dataset(*planted(200, 0), Tokenizer(3, 1, "anchor"))
    rule = next(rule for rule in shortcuts.audit(rows, rows, kmers=True) if rule.name == "kmers")
    assert rule.description.endswith("fitted on 100 of 200 rows of train")


def test_without_both_labels_in_train_there_is_no_kmer_rule() -> None:
    texts, _ = planted(20, 0)
    train = dataset(texts, [1] * 20, Tokenizer(3, 1, "anchor"))
    assert "kmers" not in {rule.name for rule in shortcuts.audit(train, train, kmers=True)}
