"""`python -m cluster VERB`: the same as `raygene VERB`, also from a bare checkout inside a Ray job."""

import sys

from cluster.imports import raygene_imports

raygene_imports.search_working_directory_last()

from cluster.process.start import handle_signals  # noqa: E402  (only now is it certain whose packages are found)

handle_signals()

from cluster.cli import main  # noqa: E402  (signals are handled first)

sys.exit(main())
