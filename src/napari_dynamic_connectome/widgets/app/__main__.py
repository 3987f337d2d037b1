"""Start of the program: `python -m napari_dynamic_connectome.widgets.app [SESSION]`."""

import sys

from .start import main

sys.exit(main())
