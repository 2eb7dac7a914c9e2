"""Parameters after a few steps of real PaddleOCR optimisers: ``python optimizer.py PADDLEOCR_CHECKOUT``.

Two linear layers on fixed inputs; the second is PaddleOCR's CTCHead, with an ``fc_decay`` of its own. Writes
tests/parity/golden/optimizer.npz (needs paddlepaddle 3.3.1).
"""

import sys
from pathlib import Path

import numpy as np
import paddle

sys.path.insert(0, str(Path(__file__).parent.parent))
from optimizer_case import CASES, STEPS, fc_decay, start, target_of_step

OUTPUT = Path(__file__).parent.parent / "golden" / "optimizer.npz"


class Net(paddle.nn.Layer):
    def __init__(self, decay: float) -> None:
        from ppocr.modeling.heads.rec_ctc_head import CTCHead

        super().__init__()
        self.body = paddle.nn.Linear(5, 4)
        self.head = CTCHead(in_channels=4, out_channels=3, fc_decay=decay)


def run(options: dict, decay: float) -> dict[str, np.ndarray]:
    from ppocr.optimizer import build_optimizer

    net = Net(decay)
    net.train()
    values = start()
    net.body.weight.set_value(values["body.weight"].T)
    net.body.bias.set_value(values["body.bias"])
    net.head.fc.weight.set_value(values["head.fc.weight"].T)
    net.head.fc.bias.set_value(values["head.fc.bias"])
    optimizer, rate = build_optimizer(options, epochs=1, step_each_epoch=STEPS, model=net)
    for step in range(STEPS):
        x, target = target_of_step(step)
        found = net.head(net.body(paddle.to_tensor(x)))
        (found - paddle.to_tensor(target)).square().sum().backward()
        optimizer.step()
        optimizer.clear_grad()
        rate.step()
    return {
        "body.weight": net.body.weight.numpy().T,
        "body.bias": net.body.bias.numpy(),
        "head.fc.weight": net.head.fc.weight.numpy().T,
        "head.fc.bias": net.head.fc.bias.numpy(),
    }


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    found = {}
    for case, options in CASES.items():
        found |= {f"{case}/{name}": value for name, value in run(options, fc_decay(case)).items()}
    np.savez_compressed(OUTPUT, **found)


if __name__ == "__main__":
    main()
