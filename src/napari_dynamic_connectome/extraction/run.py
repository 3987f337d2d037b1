"""Execution of the blocks: on threads here, or on a dask cluster; with progress, cancel and a checkpoint folder."""

from __future__ import annotations

import io
import json
import logging
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..model.errors import InputError, MissingExtraError
from ..model.execution import workers
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, report
from ..model.system import replace
from .blocks import Block
from .job import ExtractionJob, Partial
from .reduce import run_block

POLL_S = 0.2
log = logging.getLogger("napari_dynamic_connectome")
CONNECT_S = 10


def run_blocks(
    job: ExtractionJob,
    blocks: Sequence[Block],
    take: Callable[[Block, Partial], None],
    *,
    threads: int,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    checkpoint: Checkpoint | None = None,
    client: Any = None,
) -> None:
    """Reduce every block and hand each result to `take`, in whatever order they finish.

    Parameters
    ----------
    job : ExtractionJob
    blocks : sequence of Block
    take : callable
        Called in this thread with (block, partial).
    threads : int
    progress, cancel : callable, optional
    checkpoint : Checkpoint, optional
        Results found there are not computed again; new ones are added.
    client : distributed.Client or str, optional
        Cluster, or the address of its scheduler.
    """
    todo = []
    done = 0
    for block in blocks:
        check_cancel(cancel)
        known = checkpoint.load(block) if checkpoint else None
        if known is None:
            todo.append(block)
            continue
        take(block, known)
        done += 1
    if done:
        report(progress, done / len(blocks), f"{done} of {len(blocks)} blocks were done before")
    results = _on_cluster(job, todo, client, cancel) if client is not None else _on_threads(job, todo, threads, cancel)
    for block, partial in results:
        if checkpoint:
            checkpoint.save(block, partial)
        take(block, partial)
        done += 1
        report(progress, done / len(blocks), f"frames {block.start + 1} to {block.stop}")


def _on_threads(
    job: ExtractionJob, blocks: Sequence[Block], threads: int, cancel: CancelCallback | None
) -> Iterator[tuple[Block, Partial]]:
    # not waiting for a read that is under way is what makes cancel quick; its result is thrown away
    with workers(threads, cancel, patient=False) as pool:
        yield from pool.stream(lambda block: run_block(job, block, pool.stop.is_set), blocks, ordered=False)


def _on_cluster(
    job: ExtractionJob, blocks: Sequence[Block], client: Any, cancel: CancelCallback | None
) -> Iterator[tuple[Block, Partial]]:
    try:
        import distributed
    except ImportError as error:
        raise MissingExtraError("distributed", "cluster", "running on a cluster") from error
    own = isinstance(client, str)
    if own:
        address = client
        try:
            client = distributed.Client(address, timeout=CONNECT_S)
        except (OSError, ValueError) as error:
            raise InputError(
                "the scheduler cannot be reached",
                where=address,
                fix="Is it running? An address looks like tcp://host:8786.",
            ) from error
    try:
        yield from _submit(job, blocks, client, cancel, distributed)
    finally:
        if own:
            client.close()


def _submit(
    job: ExtractionJob, blocks: Sequence[Block], client: Any, cancel: CancelCallback | None, distributed: Any
) -> Iterator[tuple[Block, Partial]]:
    # the job is the result of a task and not scattered data: if the worker that holds it dies, it is made again
    shared = client.submit(_keep, job, pure=False)
    limit = 4 * max(sum(client.nthreads().values()), 1)
    waiting = iter(blocks)
    running: dict[Any, Block] = {}
    try:
        while True:
            while len(running) < limit:
                block = next(waiting, None)
                if block is None:
                    break
                small, block = job.for_block(block)
                future = client.submit(_run, shared if small is job else small, block, pure=False, retries=3)
                running[future] = block
            if not running:
                return
            check_cancel(cancel)
            try:
                finished = distributed.wait(list(running), timeout=POLL_S, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                continue
            for future in sorted(finished, key=lambda f: running[f].number):
                yield running.pop(future), future.result()
    finally:
        client.cancel([shared, *running])


def _keep(job: ExtractionJob) -> ExtractionJob:
    return job


def _run(job: ExtractionJob, block: Block) -> Partial:
    return run_block(job, block)


class Checkpoint:
    """A folder with one small file a finished block; what is found there is not computed again.

    A block that cannot be written (a full disk) is computed again after a stop; the extraction goes on.

    Parameters
    ----------
    folder : path
        Made if it does not exist.
    plan : dict
        What identifies the extraction; a folder of another one is refused.
    """

    def __init__(self, folder: str | Path, plan: dict[str, Any]) -> None:
        self.folder = Path(folder)
        self.able = True
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"the checkpoint folder cannot be made ({error.strerror})", where=str(folder), fix="Choose another one."
            ) from error
        path = self.folder / "plan.json"
        if path.exists():
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                found = None
            if found != plan:
                raise InputError(
                    "this checkpoint belongs to another extraction (other files or settings)",
                    where=str(self.folder),
                    fix="Choose another folder, or delete this one to begin again.",
                )
            return
        if any(not p.name.startswith(".") for p in self.folder.iterdir()):
            raise InputError(
                "the checkpoint folder holds other files", where=str(self.folder), fix="Choose an empty folder."
            )
        self._put(path, json.dumps(plan).encode())

    def _path(self, block: Block) -> Path:
        return self.folder / f"block_{block.number:06d}.npz"

    def load(self, block: Block) -> Partial | None:
        """Return the result of a block, or None if it has to be computed."""
        path = self._path(block)
        if not path.exists():
            return None
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as data:
                if not np.array_equal(data["place"], _place(block)):
                    return None
                partial = Partial(block.start, block.stop, data["ids"])
                for key in data.files:
                    kind, _, name = key.partition(".")
                    if kind in ("sums", "values"):
                        getattr(partial, kind)[name] = data[key]
                return partial
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None  # damaged: computing it again is safe

    def save(self, block: Block, partial: Partial) -> None:
        """Write the result of a block; it appears in one piece or not at all."""
        arrays = {"ids": partial.ids, "place": _place(block)}
        arrays |= {f"sums.{k}": v for k, v in partial.sums.items()}
        arrays |= {f"values.{k}": v for k, v in partial.values.items()}
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        self._put(self._path(block), buffer.getvalue())

    def _put(self, path: Path, data: bytes) -> None:
        try:
            _write(path, data)
        except (OSError, InputError) as error:
            if self.able:
                log.warning("the checkpoint %s is not written (%s)", self.folder, error)
            self.able = False


def _place(block: Block) -> np.ndarray:
    """Frames and borders of a block, by which its stored result is known again."""
    return np.array([block.start, block.stop, *(b for box in block.boxes for s in box for b in (s.start, s.stop))])


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
