"""`python -m edge_runtime` is `discern-edge`."""

import sys

from edge_runtime.service.cli import main

sys.exit(main())
