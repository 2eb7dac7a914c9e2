"""Several processes that train together, forked from the test: nothing has to be imported again."""

import multiprocessing
import os
import socket
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import accelerate  # noqa: F401  # here, so that the processes need not
import cv2
import torch

_WAIT_S = 600  # processes that do nothing for so long have failed


def in_processes(world: int, work: Callable[[int], Any]) -> list[Any]:
    """``work(rank)`` in each of ``world`` processes, as ``torchrun`` would start them; what they return, by rank.

    An exception is returned as the exception.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("fork")
    readers, processes = [], []
    for rank in range(world):
        reader, writer = context.Pipe(duplex=False)
        process = context.Process(target=_run, args=(rank, world, port, work, writer), daemon=True)
        process.start()
        writer.close()
        readers.append(reader)
        processes.append(process)
    results = [reader.recv() if reader.poll(_WAIT_S) else TimeoutError("it hangs") for reader in readers]
    for process in processes:
        process.join(5)
        process.kill()
    return results


def _run(rank: int, world: int, port: int, work: Callable[[int], Any], result: Connection) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
    os.environ |= {name: str(value) for name, value in names.items()}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    try:
        result.send(work(rank))
    except BaseException as error:
        traceback.print_exc(file=sys.stderr)
        result.send(error)
