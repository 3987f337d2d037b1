"""The docks."""

from ..qt.present import require_qt

require_qt()
