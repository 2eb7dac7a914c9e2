"""Golden numbers for loading ``.pdparams``: run with Paddle and a PaddleOCR checkout (commit 79f652f5).

python weights.py PADDLEOCR_CHECKOUT OUTPUT_FOLDER

Builds PP-OCRv2's recogniser and detection student with PaddleOCR's own classes, gives every parameter the value that
``weights_inputs.tensor`` makes from its name, and stores names, shapes and outputs; and a small file that
``paddle.save`` wrote.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np
import paddle

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent))
import import_paddleocr
import weights_inputs as inputs

import_paddleocr.PACKAGES += tuple(f"ppocr.modeling{part}" for part in ("", ".backbones", ".necks", ".heads"))


class Network(paddle.nn.Layer):
    """Backbone, neck, head under PaddleOCR's names."""

    def __init__(self, backbone, neck, head):
        super().__init__()
        self.backbone, self.neck, self.head = backbone, neck, head

    def forward(self, x):
        return self.head(self.neck(self.backbone(x)))


class Mixed(paddle.nn.Layer):
    """One of each layer whose names or layouts differ between Paddle and PyTorch."""

    def __init__(self):
        super().__init__()
        self.conv = paddle.nn.Conv2D(3, 4, 3)
        self.bn = paddle.nn.BatchNorm2D(4)
        self.lstm = paddle.nn.LSTM(4, 3, num_layers=2, direction="bidirectional")
        self.fc = paddle.nn.Linear(6, 5)


def build(name):
    if name == "v2_rec":
        from ppocr.modeling.backbones.rec_mv1_enhance import MobileNetV1Enhance
        from ppocr.modeling.heads.rec_ctc_head import CTCHead
        from ppocr.modeling.necks.rnn import SequenceEncoder

        backbone = MobileNetV1Enhance(in_channels=3, scale=0.5)
        neck = SequenceEncoder(in_channels=backbone.out_channels, encoder_type="rnn", hidden_size=64)
        head = CTCHead(in_channels=neck.out_channels, out_channels=inputs.CLASSES, mid_channels=96)
        return Network(backbone, neck, head)
    from ppocr.modeling.backbones.det_mobilenet_v3 import MobileNetV3
    from ppocr.modeling.heads.det_db_head import DBHead
    from ppocr.modeling.necks.db_fpn import DBFPN

    backbone = MobileNetV3(in_channels=3, model_name="large", scale=0.5, disable_se=True)
    neck = DBFPN(in_channels=backbone.out_channels, out_channels=96)
    return Network(backbone, neck, DBHead(in_channels=neck.out_channels, k=50))


def fill(network):
    """Set all parameters; returns name -> shape. Paddle lists LSTM weights under two names: one is enough."""
    shapes = {}
    for name, value in network.state_dict().items():
        if not re.search(r"\.\d+\.cell_", name):
            value.set_value(inputs.tensor(name, tuple(value.shape)))
            shapes[name] = list(value.shape)
    return shapes


def main(checkout, folder):
    import_paddleocr.use_checkout(checkout)
    shapes, outputs = {}, {}
    for name in inputs.IMAGES:
        network = build(name)
        shapes[name] = fill(network)
        network.eval()
        result = network(paddle.to_tensor(inputs.image(name)))
        outputs[name] = (result["maps"] if isinstance(result, dict) else result).numpy()
    (folder / "weights.json").write_text(json.dumps(shapes))
    np.savez_compressed(folder / "weights.npz", **outputs)
    mixed = Mixed()
    fill(mixed)
    paddle.save(mixed.state_dict(), str(folder / "weights_mixed.pdparams"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
