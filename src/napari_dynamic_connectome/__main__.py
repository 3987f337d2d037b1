"""`python -m napari_dynamic_connectome`: the command `dynamic-connectome`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
