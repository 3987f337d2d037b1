"""`python -m napari_dynamic_connectome.cli`: the command `dynamic-connectome`."""

import sys

from .command_line import main

if __name__ == "__main__":
    sys.exit(main())
