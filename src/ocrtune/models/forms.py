"""The form (``models.fold``) of one network or of several, as a text that a checkpoint keeps.

One network: ``folded``. Several: ``Student=folded,Teacher=training``, as each was left by the weights it started from.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from ocrtune.models.distillation import DistillationModel
from ocrtune.models.fold import FORMS, Form, form_of, to_form_


def form_text(model: nn.Module) -> str:
    """The form or forms that ``model`` is in."""
    if not isinstance(model, DistillationModel):
        return form_of(model)
    return ",".join(f"{name}={form_of(network)}" for name, network in model.networks())


def set_form_(model: nn.Module, text: str) -> bool:
    """Give a freshly built ``model`` the form or forms of :func:`form_text`; False when ``text`` is not about it."""
    if not isinstance(model, DistillationModel):
        form = _form(text)
        if form is not None:
            to_form_(model, form)
        return form is not None
    parts = dict(part.partition("=")[::2] for part in text.split(","))
    forms = {name: _form(parts.get(name, "")) for name in model.names}
    if parts.keys() != forms.keys() or None in forms.values():
        return False
    for name, network in model.networks():
        form = forms[name]
        assert form is not None
        to_form_(network, form)
    return True


def parts_of(model: nn.Module) -> Iterator[nn.Module]:
    """The networks that have a form each: ``model`` itself, or those of a distillation."""
    if isinstance(model, DistillationModel):
        yield from (network for _, network in model.networks())
    else:
        yield model


def _form(text: str | None) -> Form | None:
    return next((known for known in FORMS if known == text), None)
