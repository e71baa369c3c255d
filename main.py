"""PlateMatch from a checkout: the same as the installed `platematch`."""

import sys

from app.cli import main

if __name__ == "__main__":
    sys.exit(main())
