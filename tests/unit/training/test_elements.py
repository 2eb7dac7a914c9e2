"""What compiled loops read and write is what PyTorch reads and writes."""

import numpy as np
import torch

from ocrtune.training.compiled import compiled
from ocrtune.training.elements import Elements, line, number, stored, values_of


def to_number(x: Elements, y: Elements) -> None:
    for i in range(x.shape[0]):
        y[i] = number(x[i])


def to_element(x: Elements, y: Elements) -> None:
    for i in range(x.shape[0]):
        y[i] = stored(x[i], y)


def through_lines(x: Elements, y: Elements, room: Elements) -> None:
    values = line(x, room)
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            y[r, c] = values[r, c]


EVERY = torch.arange(2**16, dtype=torch.int32).to(torch.uint16).view(torch.bfloat16)


def test_every_bfloat16_is_read_as_pytorch_reads_it() -> None:
    found = np.zeros(2**16, np.float32)
    compiled(to_number)(EVERY.view(torch.uint16).numpy(), found)
    np.testing.assert_array_equal(found, EVERY.float().numpy())
    np.testing.assert_array_equal(values_of(EVERY.view(torch.uint16).numpy()), EVERY.float().numpy())


def test_numbers_are_rounded_as_pytorch_rounds_them() -> None:
    torch.manual_seed(0)
    halfway = (EVERY.float().view(torch.int32) + 2**15).view(torch.float32)  # between two that can be written
    x = torch.cat((torch.randn(10_000) * 1e3, EVERY.float(), halfway, torch.tensor([3.4e38, torch.inf, -torch.inf])))
    found = torch.empty(len(x), dtype=torch.bfloat16)
    compiled(to_element)(x.numpy(), found.view(torch.uint16).numpy())
    torch.testing.assert_close(found, x.bfloat16(), rtol=0, atol=0, equal_nan=True)


def test_float32_passes_unchanged() -> None:
    x = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    for loops, given in ((to_number, ()), (to_element, ()), (through_lines, (np.zeros_like(x),))):
        found = np.zeros_like(x)
        flat = loops is not through_lines
        compiled(loops)(x.ravel() if flat else x, found.ravel() if flat else found, *given)
        np.testing.assert_array_equal(found, x)
    assert values_of(x) is x


def test_lines_of_bfloat16() -> None:
    x = torch.randn(5, 7).bfloat16()
    found, room = np.zeros((5, 7), np.float32), np.zeros((6, 7), np.float32)
    compiled(through_lines)(x.view(torch.uint16).numpy(), found, room)
    np.testing.assert_array_equal(found, x.float().numpy())
