"""The few exception types of the package: each message says what was wrong, where, and what to do."""

from __future__ import annotations


class DynamicConnectomeError(Exception):
    """Base class of every error that this package raises on purpose.

    The command line prints the message on one line and exits with code 2; the napari docks show it as a notification.
    """


class InputError(DynamicConnectomeError, ValueError):
    """Bad input: a file, an array or a table that cannot be used.

    Parameters
    ----------
    what : str
        What is wrong, in one sentence without a final full stop.
    where : str, optional
        The file, array, column or neuron concerned.
    fix : str, optional
        What the user can do about it.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what = what
        self.where = where
        self.fix = fix
        message = f"{where}: {what}" if where else what
        if fix:
            message = f"{message}{'' if what.endswith('?') else '.'} {fix}"
        super().__init__(message)

    def __reduce__(self) -> tuple[object, ...]:
        return (_restore_input_error, (type(self), self.what, self.where, self.fix))


def _restore_input_error(kind: type[InputError], what: str, where: str, fix: str) -> InputError:
    return kind(what, where=where, fix=fix)


class SettingsError(InputError):
    """A setting is unknown, out of bounds, or contradicts another one."""


class FormatError(InputError):
    """A file is damaged, unsafe, or of a format that no reader knows."""


class MissingExtraError(DynamicConnectomeError, ImportError):
    """An optional dependency is not installed, or the installed one is too old.

    Parameters
    ----------
    package : str
        Name of the package on PyPI that is missing.
    extra : str
        The extra of this distribution that installs it.
    purpose : str
        What it is needed for ("reading NWB files").
    found, needed : str
        The version that is installed and the oldest that serves, where a package is there but too old.
    """

    def __init__(self, package: str, extra: str, purpose: str, found: str = "", needed: str = "") -> None:
        self.package, self.extra, self.purpose, self.found, self.needed = package, extra, purpose, found, needed
        if found:
            super().__init__(
                f"{purpose} needs the package {package} {needed} or newer; {found} is installed. Update it with: "
                f"pip install --upgrade '{package}>={needed}'"
            )
            return
        super().__init__(
            f"{purpose} needs the package {package}. Install it with: pip install 'napari-dynamic-connectome[{extra}]'"
        )

    def __reduce__(self) -> tuple[object, ...]:
        return (MissingExtraError, (self.package, self.extra, self.purpose, self.found, self.needed))


class Cancelled(DynamicConnectomeError):
    """The user asked for the running step to stop; nothing was written."""

    def __init__(self, message: str = "Cancelled; nothing was written.") -> None:
        super().__init__(message)
