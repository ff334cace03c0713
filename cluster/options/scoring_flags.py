"""What the verbs that score sequences with a model share: where they compute, and how they name it in errors."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from cluster.options.flags import positive

BUDGETS = "(default 16384 on a CPU, 262144 on a GPU)"


def add_scoring_options(parser: argparse.ArgumentParser, default_workers: str, default_budget: str = BUDGETS) -> None:
    """Add --workers, --device and --token-budget.

    Args:
        parser: of the verb.
        default_workers: how many actors score without --workers, for the help.
        default_budget: what a batch has without --token-budget, for the help.
    """
    group = parser.add_argument_group("computing")
    group.add_argument(
        "--workers", type=positive, metavar="N", help=f"Ray actors that score (default: {default_workers})"
    )
    group.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto = GPUs where there are any (default)"
    )
    group.add_argument(
        "--token-budget", type=positive, metavar="N", help=f"maximum padded tokens in a batch {default_budget}"
    )


@contextmanager
def device_errors_name_the_flag() -> Iterator[None]:
    """Have errors name --device where elsewhere the key training.device is meant."""
    # torch comes with this import, and --help need not wait for it.
    from training.hardware.devices import DeviceError

    try:
        yield
    except DeviceError as error:
        raise error.named("--device") from error
