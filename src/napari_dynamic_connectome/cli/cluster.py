"""Client of a dask cluster, as the options of a command name it: a running one, or processes on this machine."""

from __future__ import annotations

import argparse
from typing import Any

from ..model.cluster import local_client
from ..model.errors import InputError, MissingExtraError


def add_cluster(command: argparse.ArgumentParser) -> None:
    """Add the options that say where the work is done."""
    command.add_argument("--executor", choices=("local", "dask"), default="local")
    command.add_argument("--scheduler", metavar="ADDRESS", help="of a running dask scheduler (with --executor dask)")
    command.add_argument(
        "--workers", type=int, metavar="N", help="start a dask cluster of N processes on this machine, and end it after"
    )


def client_of(options: argparse.Namespace) -> Any:
    """Return the client, or None where the work is done in this process; the caller closes it."""
    if options.workers is not None:
        if options.scheduler:
            raise InputError("--workers and --scheduler name two clusters", fix="Leave out one of them.")
        if options.workers < 1:
            raise InputError(f"{options.workers} workers can do nothing", where="--workers", fix="Use 1 or more.")
    elif options.executor != "dask":
        if options.scheduler:
            raise InputError("--scheduler needs --executor dask")
        return None
    elif not options.scheduler:
        raise InputError(
            "--executor dask needs --scheduler ADDRESS or --workers N", fix="For example tcp://127.0.0.1:8786."
        )
    if options.workers is not None:
        return local_client(options.workers)
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtraError("distributed", "cluster", "running on a dask cluster") from error
    try:
        return Client(options.scheduler, timeout="10s")
    except (OSError, TimeoutError) as error:
        raise InputError("no dask scheduler answers", where=options.scheduler, fix="Check the address.") from error
