"""Sessions: what is open and chosen, saving, journal, lock, images that moved."""

from typing import TYPE_CHECKING

from .._public import public

__getattr__, __dir__, __all__ = public(
    __name__,
    {
        "Session": "session",
        "load_session": "save_load",
        "save_session": "save_load",
    },
)

if TYPE_CHECKING:
    from .save_load import load_session as load_session
    from .save_load import save_session as save_session
    from .session import Session as Session
