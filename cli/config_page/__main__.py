"""`python -m cli.config_page`."""

import sys

from cli.config_page.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
