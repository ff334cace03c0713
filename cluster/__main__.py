"""`python -m cluster VERB`: the same as `raygene VERB`, also from a bare checkout inside a Ray job."""

import sys

from cluster.cli import main

sys.exit(main())
