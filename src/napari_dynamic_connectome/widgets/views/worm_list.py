"""Rows of the list of worms: a name that is cut in the middle, and as much of what is said of the worm as has room."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QModelIndex, Qt
from qtpy.QtGui import QFontMetrics
from qtpy.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

NAME_GAP = "   "
"""Between a worm's name and the rest."""
BETWEEN = "  ·  "
"""Between the parts of the rest."""
NAME_PX = 90
"""Pixels that a name keeps at least; the last parts of the rest give way to it."""
MARGIN = 6


class WormDelegate(QStyledItemDelegate):
    """Fits the text of a row into its width. The text of an item is the whole."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Cut the text."""
        super().initStyleOption(option, index)
        widget: Any = option.widget
        if widget is not None and option.rect.width() > 0:
            field = widget.style().subElementRect(QStyle.SubElement.SE_ItemViewItemText, option, widget)
            option.text = fitted(option.text, option.fontMetrics, field.width() - MARGIN)


def fitted(text: str, metrics: QFontMetrics, width: int) -> str:
    """What of a row fits into so many pixels.

    Parameters
    ----------
    text : str
        Name, `NAME_GAP`, and parts with `BETWEEN` between them.
    metrics : QFontMetrics
    width : int
    """
    if metrics.horizontalAdvance(text) <= width:
        return text
    name, _, rest = text.partition(NAME_GAP)
    parts = rest.split(BETWEEN)
    wanted = min(metrics.horizontalAdvance(name), NAME_PX)
    while parts and metrics.horizontalAdvance(NAME_GAP + BETWEEN.join(parts)) + wanted > width:
        parts.pop()
    said = NAME_GAP + BETWEEN.join(parts) if parts else ""
    room = width - metrics.horizontalAdvance(said)
    return str(metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, room)) + said
