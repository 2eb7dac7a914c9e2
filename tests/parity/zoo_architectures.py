"""The networks of the zoo as an Architecture and a Loss section say them, by the name of PaddleOCR's config.

Several configs share a network and differ in data or dictionary: golden/zoo.json says which. A name with a dot is one
network of a distillation.
"""

from __future__ import annotations

from typing import Any

Section = dict[str, Any]

DB_LOSS = {
    "name": "DBLoss",
    "main_loss_type": "DiceLoss",
    "balance_loss": True,
    "alpha": 5,
    "beta": 10,
    "ohem_ratio": 3,
}
AUXILIARY = {"aux_weight_p4": 0.2, "aux_weight_p3": 0.3, "aux_weight_p2": 0.4}
V6_DB_LOSS = {"name": "DBLoss", "main_loss_type": "DiceFocalLoss", "alpha": 5, "beta": 10, "focal_gamma": 2.5}
V6_DB_LOSS |= {"focal_alpha": 0.25, **AUXILIARY}
CTC_LOSS = {"name": "CTCLoss"}


def named(name: str, **options: Any) -> Section:
    """One component."""
    return {"name": name, **options}


def det(backbone: Section, neck: Section, head: Section, loss: Section = DB_LOSS) -> tuple[Section, Section]:
    """A detector."""
    return {"model_type": "det", "Backbone": backbone, "Neck": neck, "Head": {"k": 50, **head}}, loss


def crnn(backbone: Section, hidden: int, head: Section, loss: Section = CTC_LOSS) -> tuple[Section, Section]:
    """Backbone, two bidirectional LSTM layers, CTC."""
    neck = named("SequenceEncoder", encoder_type="rnn", hidden_size=hidden)
    return {"model_type": "rec", "Backbone": backbone, "Neck": neck, "Head": named("CTCHead", **head)}, loss


def guided(
    backbone: Section, neck: Section, guide: tuple[str, Section], ctc: Section | None = None, **head: Any
) -> tuple[Section, Section]:
    """CTC and, in training, a decoder that guides it."""
    branch = {"CTCHead": {"Neck": neck, "Head": {"fc_decay": 1e-5, **(ctc or {})}}}
    loss = {"name": "MultiLoss", "loss_config_list": [{"CTCLoss": None}, {guide[0].replace("Head", "Loss"): None}]}
    multi = named("MultiHead", head_list=[branch, {guide[0]: guide[1]}], **head)
    return {"model_type": "rec", "Backbone": backbone, "Head": multi}, loss


def svtr_net(channels: int, dims: list[int], depth: list[int], heads: list[int]) -> Section:
    """SVTR for lines of 48x320: convolutions in the first half of the blocks, attention in the second.

    The teacher's own file says ``last_stage: false`` beside ``out_channels: 192``, with which PaddleOCR cannot run it.
    """
    half = sum(depth) // 2 if sum(depth) % 2 == 0 else 9
    mixer = ["Conv"] * half + ["Global"] * (sum(depth) - half)
    sizes = {"img_size": [48, 320], "out_char_num": 40, "out_channels": channels, "embed_dim": dims, "depth": depth}
    rest = {"patch_merging": "Conv", "local_mixer": [[5, 5]] * 3, "last_stage": channels != dims[-1], "prenorm": True}
    return named("SVTRNet", **sizes, num_heads=heads, mixer=mixer, **rest)


V2_DET = named("MobileNetV3", model_name="large", scale=0.5, disable_se=True)
V3_REC = named(
    "MobileNetV1Enhance", scale=0.5, last_conv_stride=[1, 2], last_pool_type="avg", last_pool_kernel_size=[2, 2]
)
V4_DET = named("PPLCNetV3", scale=0.75, det=True)
V2_REC = named("MobileNetV1Enhance", scale=0.5)
V2_CTC = {"mid_channels": 96, "fc_decay": 2e-5}
CENTERED = {
    "name": "CombinedLoss",
    "loss_config_list": [
        {"CTCLoss": {"use_focal_loss": False, "weight": 1.0}},
        {"CenterLoss": {"weight": 0.05, "num_classes": 6625, "feat_dim": 96, "center_file_path": None}},
    ],
}
RSE = named("RSEFPN", out_channels=96, shortcut=True)
DB_FPN = named("DBFPN", out_channels=256)
LK = named("LKPAN", out_channels=256)
LK_CLOSE = named("LKPAN", out_channels=256, intracl=True)
DB, LOCAL = named("DBHead"), named("PFHeadLocal", mode="large")
STEADY: Section = {"fix_nan": True}
SVTR64 = named("svtr", dims=64, depth=2, hidden_dims=120, use_guide=True)
SVTR120 = named("svtr", dims=120, depth=2, hidden_dims=120, kernel_size=[1, 3], use_guide=True)
SVTR256 = named("svtr", dims=256, depth=2, hidden_dims=256, kernel_size=[1, 3], use_guide=True)
SAR = ("SARHead", {"enc_dim": 512, "max_text_length": 25})
NRTR384 = ("NRTRHead", {"nrtr_dim": 384, "max_text_length": 25})
NRTR512 = ("NRTRHead", {"nrtr_dim": 512, "max_text_length": 25})
NRTR512_LONG = ("NRTRHead", {"nrtr_dim": 512, "max_text_length": 40})


def v4(size: str, **options: Any) -> Section:
    """PPLCNetV4 of a size."""
    return named("PPLCNetV4", model_size=size, **options)


def v6_det(size: str, neck: Section) -> tuple[Section, Section]:
    """PP-OCRv6 detection: auxiliary heads on the neck's own width."""
    head = {**DB, **STEADY, "aux_in_channels": neck["out_channels"]}
    return det(v4(size, det=True), neck, head, V6_DB_LOSS)


def light(dims: int, mlp_ratio: float, **options: Any) -> Section:
    """The light SVTR encoder of PP-OCRv6."""
    return named("lightsvtr", dims=dims, depth=2, mlp_ratio=mlp_ratio, local_kernel=7, **options)


ZOO: dict[str, tuple[Section, Section]] = {
    "det_mv3_db": det(named("MobileNetV3", model_name="large", scale=0.5), DB_FPN, DB),
    "det_r50_vd_db": det(named("ResNet_vd", layers=50), DB_FPN, DB),
    "ch_det_res18_db_v2.0": det(named("ResNet_vd", layers=18, disable_se=True), DB_FPN, DB),
    "ch_PP-OCRv2_det_cml.Teacher": det(named("ResNet_vd", layers=18), DB_FPN, DB),
    "ch_PP-OCRv2_det_student": det(V2_DET, named("DBFPN", out_channels=96), DB),
    "PP-OCRv3_mobile_det": det(V2_DET, RSE, DB),
    "PP-OCRv3_server_det": det(named("ResNet_vd", in_channels=3, layers=50), LK, {**DB, "kernel_list": [7, 2, 2]}),
    "PP-OCRv4_mobile_det": det(V4_DET, RSE, {**DB, **STEADY}),
    "PP-OCRv4_mobile_seal_det": det(V4_DET, RSE, DB),
    "PP-OCRv4_server_det": det(named("PPHGNet_small", det=True), LK_CLOSE, {**LOCAL, **STEADY}),
    "PP-OCRv4_server_seal_det": det(named("PPHGNet_small", det=True), LK_CLOSE, LOCAL),
    "PP-OCRv5_server_det": det(named("PPHGNetV2_B4", det=True), LK_CLOSE, LOCAL),
    "PP-OCRv6_tiny_det": v6_det("tiny", named("UniRepLKFPN", out_channels=64, dilated_kernel_size=5, shortcut=True)),
    "PP-OCRv6_small_det": v6_det("small", named("UniRepLKFPN", out_channels=96, dilated_kernel_size=7, shortcut=True)),
    "PP-OCRv6_medium_det": v6_det("medium", named("RepLKPAN", out_channels=256, intracl=True)),
    "rec_chinese_lite_train_v2.0": crnn(
        named("MobileNetV3", scale=0.5, model_name="small", small_stride=[1, 2, 2, 2]), 48, {"fc_decay": 1e-5}
    ),
    "rec_chinese_common_train_v2.0": crnn(named("ResNet", layers=34), 256, {"fc_decay": 4e-5}),
    "ch_PP-OCRv2_rec": crnn(V2_REC, 64, V2_CTC),
    "ch_PP-OCRv2_rec_enhanced_ctc_loss": crnn(V2_REC, 64, {**V2_CTC, "return_feats": True}, CENTERED),
    "PP-OCRv3_mobile_rec": guided(V3_REC, SVTR64, SAR),
    "PP-OCRv4_mobile_rec": guided(named("PPLCNetV3", scale=0.95), SVTR120, NRTR384),
    "PP-OCRv4_server_rec": guided(named("PPHGNet_small"), SVTR120, NRTR384),
    "PP-OCRv4_mobile_rec_distillation.Teacher": guided(
        svtr_net(192, [64, 128, 256], [3, 6, 3], [2, 4, 8]), SVTR120, NRTR384
    ),
    "ch_PP-OCRv4_rec_svtr_large": guided(
        svtr_net(512, [192, 256, 512], [6, 6, 9], [6, 8, 16]), SVTR256, NRTR512_LONG, use_pool=True, use_pos=True
    ),
    "PP-OCRv5_server_rec": guided(named("PPHGNetV2_B4", text_rec=True), SVTR120, NRTR384),
    "PP-OCRv6_tiny_rec": guided(v4("tiny"), named("reshape"), NRTR384, {"mid_channels": 80, "use_guide": True}),
    "PP-OCRv6_small_rec": guided(v4("small"), light(120, 2.0), NRTR384),
    "PP-OCRv6_medium_rec": guided(v4("medium"), light(192, 4.0, use_guide=False), NRTR512),
}
