"""Golden files for Paddle's inference models: one small network in both formats.

python inference.py OUTPUT_FOLDER

``inference_small.pdmodel`` with ``.pdiparams`` is the program as Paddle wrote it until 2.6,
``inference_small_pir.json`` with ``.pdiparams`` as it does since 3.0. Parameters are made from their names by
``inference_inputs.tensor``; ``inference_small.npz`` holds the network's answer.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
import inference_inputs as inputs

NAME = "inference_small"


def build():
    import paddle

    class Small(paddle.nn.Layer):
        """A recogniser in miniature with one of each kind of layer that PP-OCR models have."""

        def __init__(self):
            super().__init__()
            nn = paddle.nn
            self.conv = nn.Conv2D(3, 4, 3, stride=2, padding=1, bias_attr=False)
            self.bn = nn.BatchNorm2D(4)
            self.depthwise = nn.Conv2D(4, 4, 3, padding=1, groups=4)
            self.scale = self.create_parameter([1], default_initializer=nn.initializer.Constant(1.5))
            self.shift = self.create_parameter([1], default_initializer=nn.initializer.Constant(0.25))
            self.up = nn.Conv2DTranspose(4, 5, 2, stride=2)
            self.norm = nn.LayerNorm(5, epsilon=1e-6)
            self.lstm = nn.LSTM(5, 3, num_layers=2, direction="bidirectional")
            self.fc = nn.Linear(6, 7)

        def forward(self, x):
            x = paddle.nn.functional.hardswish(self.bn(self.conv(x)))
            x = self.scale * self.depthwise(x) + self.shift
            x = self.up(x).mean(2).transpose([0, 2, 1])
            return paddle.nn.functional.softmax(self.fc(self.lstm(self.norm(x))[0]))

    return Small()


def fill(network, put) -> None:
    """Give every parameter its value; LSTM weights are there under two names, one is enough."""
    for name, value in network.state_dict().items():
        if not re.search(r"\.\d+\.cell_", name):
            put(value, inputs.tensor(name, tuple(value.shape)))


def save_pir(folder: Path) -> None:
    """``jit.save`` of Paddle 3: ``.json``; and the network's answer."""
    import paddle

    network = build()
    fill(network, lambda value, array: value.set_value(array))
    network.eval()
    specification = paddle.static.InputSpec([None, 3, 32, None], "float32", name="x")
    static = paddle.jit.to_static(network, input_spec=[specification], full_graph=True)
    paddle.jit.save(static, str(folder / f"{NAME}_pir"))
    np.savez_compressed(folder / f"{NAME}.npz", probability=network(paddle.to_tensor(inputs.image())).numpy())


def save_program(folder: Path) -> None:
    """A static program: ``.pdmodel``. (Paddle 3.3 cannot write that format from a dynamic network any more.)

    Paddle notes in every operator where in the source it was made; without that the file is the same everywhere.
    """
    import paddle

    mock.patch("traceback.extract_stack", return_value=[]).start()
    paddle.enable_static()
    program, start = paddle.static.Program(), paddle.static.Program()
    with paddle.static.program_guard(program, start):
        image = paddle.static.data("x", [None, 3, 32, None], "float32")
        network = build()
        network.eval()
        answer = network(image)
    executor = paddle.static.Executor()
    executor.run(start)
    scope = paddle.static.global_scope()
    fill(network, lambda value, array: scope.find_var(value.name).get_tensor().set(array, paddle.CPUPlace()))
    program = program.clone(for_test=True)
    answer = program.global_block().var(answer.name)
    paddle.static.save_inference_model(str(folder / NAME), [image], [answer], executor, program=program)


def main(folder: Path) -> None:
    for kind, flag in (("program", "0"), ("pir", "1")):  # Paddle reads the flag once, at import
        environment = {**os.environ, "FLAGS_enable_pir_api": flag}
        subprocess.run([sys.executable, __file__, folder, kind], check=True, env=environment)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        {"program": save_program, "pir": save_pir}[sys.argv[2]](Path(sys.argv[1]))
    else:
        main(Path(sys.argv[1]))
