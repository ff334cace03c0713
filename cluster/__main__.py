"""`python -m cluster VERB`: the same as `raygene VERB`, also from a bare checkout inside a Ray job."""

import sys

from cluster.imports import raygene_imports

raygene_imports.search_working_directory_last()

from cluster.cli import main  # noqa: E402  (only now is it certain whose packages these imports find)

sys.exit(main())
