"""`python -m cli` is `discern`, also before the command is installed."""

from __future__ import annotations

import sys

from cli.main import main

if __name__ == "__main__":
    sys.exit(main())
