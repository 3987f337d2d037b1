"""Client of a running dask cluster, as the options of a command name it."""

from __future__ import annotations

import argparse
import importlib.util
from typing import Any

from ..model.errors import InputError


def client_of(options: argparse.Namespace) -> Any:
    """Return the client, or None without `--executor dask`."""
    if options.executor != "dask":
        if options.scheduler:
            raise InputError("--scheduler needs --executor dask")
        return None
    if not options.scheduler:
        raise InputError("--executor dask needs --scheduler ADDRESS", fix="For example tcp://127.0.0.1:8786.")
    if importlib.util.find_spec("distributed") is None:
        from ..model.errors import MissingExtraError

        raise MissingExtraError("distributed", "cluster", "Running on a dask cluster")
    from distributed import Client

    try:
        return Client(options.scheduler, timeout="10s")
    except (OSError, TimeoutError) as error:
        raise InputError("no dask scheduler answers", where=options.scheduler, fix="Check the address.") from error
