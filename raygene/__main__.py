"""The command `raygene`, and `python -m raygene`: whatever else is called `cluster`, the verbs are those beside it."""

from __future__ import annotations

import sys

from raygene import own_packages


def main() -> int:
    """Run the command line of this process; return its exit status."""
    from cluster.process.start import handle_signals

    handle_signals()
    from cluster.cli import main

    return main()


if __name__ == "__main__":
    own_packages.load_finder().search_working_directory_last()
    sys.exit(main())
