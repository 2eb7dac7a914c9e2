"""Worker: a training step of ocrtune, with the precision, memory layout and threads that it chooses by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ocrtune.training.allocator import FreedMemory, use_large_pages
from ocrtune.training.threads import let_threads_sleep
from peers.cases import TrainCase
from peers.protocol import Answer, serve, take_turn


def prepare(arguments: Any) -> tuple[Answer, Callable[[Any], Answer]]:
    """arguments: case, configs (folder), dictionary (or None), folder to write to, samples there, more (overrides)."""
    let_threads_sleep()  # as `ocrtune train` does, before torch is imported
    use_large_pages()

    import torch

    from peers.bound import measure_bounds
    from peers.made_sets import make_set
    from peers.ocrtune_run import made_up_batch, make_run

    memory = FreedMemory()
    case = TrainCase(**arguments["case"])
    dictionary = Path(arguments["dictionary"]) if arguments["dictionary"] else None
    config, folder = Path(arguments["configs"], case.config), Path(arguments["folder"])
    data = make_set(folder / "data", case.kind, arguments["samples"], (64, 96))
    trainer = make_run(config, dictionary, folder, data=data, more=arguments["more"]).trainer
    batch = made_up_batch(case.shape, dictionary)

    def step() -> Answer:
        start = time.perf_counter()
        result = trainer.step([batch])
        memory.after_step()  # as `ocrtune train` does
        seconds = time.perf_counter() - start
        if result.skipped:
            raise RuntimeError(f"the step learnt nothing: {result.skipped}")
        return {"seconds": seconds, "loss": result.losses["loss"]}

    def answer(request: Any) -> Answer:
        if request == "bounds":
            return measure_bounds(lambda: trainer.step([batch]), trainer.precision)
        return take_turn(step, request["turn"])

    about = {
        "versions": {"torch": torch.__version__},
        "threads": torch.get_num_threads(),
        "precision": str(trainer.precision).removeprefix("torch."),
        "parameters": sum(value.numel() for value in trainer.model.parameters() if value.requires_grad),
    }
    return about, answer


if __name__ == "__main__":
    serve(prepare)
