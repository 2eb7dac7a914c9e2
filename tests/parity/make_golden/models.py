"""Names, shapes and outputs of real PaddleOCR networks: ``python models.py PADDLEOCR_79F652F5``.

Writes tests/parity/golden/models.json and models.npz (needs paddlepaddle 3.3.1, opencv, requests, tqdm).
"""

import json
import sys
from pathlib import Path

import numpy as np
import paddle

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, sys.argv[1])
from model_weights import CLASSES, NRTR_WIDTH, TOKENS, from_paddle, image, memory, seeded, thinned
from ppocr.modeling.architectures.base_model import BaseModel
from ppocr.modeling.heads.rec_nrtr_head import Transformer

GOLDEN = Path(__file__).parent.parent / "golden"
REC = {
    "model_type": "rec",
    "algorithm": "CRNN",
    "Backbone": {"name": "MobileNetV1Enhance", "scale": 0.5},
    "Neck": {"name": "SequenceEncoder", "encoder_type": "rnn", "hidden_size": 64},
    "Head": {"name": "CTCHead", "mid_channels": 96, "fc_decay": 0.00002, "out_channels": CLASSES},
}
DET = {
    "model_type": "det",
    "algorithm": "DB",
    "Backbone": {"name": "MobileNetV3", "scale": 0.5, "model_name": "large", "disable_se": True},
    "Neck": {"name": "DBFPN", "out_channels": 96},
    "Head": {"name": "DBHead", "k": 50},
}


def fill(layer: paddle.nn.Layer) -> dict[str, list[int]]:
    """Give ``layer`` the seeded weights; name -> shape, as ocrtune names them."""
    shapes = {}
    for name, value in layer.state_dict().items():
        ours = from_paddle(name)
        value.set_value(seeded(ours, tuple(value.shape)))
        if not ours.endswith(".pe"):
            shapes[ours] = list(value.shape)
    return shapes


@paddle.no_grad()
def main() -> None:
    rec, det = BaseModel(REC), BaseModel(DET)
    nrtr = Transformer(
        d_model=NRTR_WIDTH,
        nhead=NRTR_WIDTH // 32,
        num_encoder_layers=-1,
        beam_size=-1,
        num_decoder_layers=2,
        max_len=25,
        dim_feedforward=NRTR_WIDTH * 4,
        out_channels=CLASSES + 3,
    )
    pe = nrtr.positional_encoding.pe.numpy()
    shapes = {"rec": fill(rec), "det": fill(det), "nrtr": fill(nrtr)}
    nrtr.positional_encoding.pe.set_value(pe)
    for layer in (rec, det, nrtr):
        layer.eval()
    page = paddle.to_tensor(image("det"))
    outputs = {
        "rec": rec(paddle.to_tensor(image("rec"))),
        "det_eval": det(page)["maps"],
        "nrtr": nrtr.forward_train(paddle.to_tensor(memory()), paddle.to_tensor(TOKENS)),  # eval: no dropout
    }
    det.train()
    outputs["det_train"] = det(page)["maps"]
    (GOLDEN / "models.json").write_text(json.dumps(shapes, indent=0) + "\n")
    np.savez_compressed(GOLDEN / "models.npz", **{key: thinned(value.numpy()) for key, value in outputs.items()})


if __name__ == "__main__":
    paddle.set_device("cpu")
    main()
