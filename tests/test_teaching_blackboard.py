"""The arithmetic on the blackboard comes out, with a pocket calculator in hand."""

import re
from typing import Any

import numpy as np
import pytest

from kmeans_seg import ConvergenceWarning, segment
from kmeans_seg.teaching import Assign, explain, trace

RNG = np.random.default_rng(3)
PHOTO = RNG.integers(256, size=(9, 12, 3)).astype(np.uint8)


def test_worked_by_hand() -> None:
    image = np.array([[[9, 1, 2], [8, 2, 2]], [[0, 5, 7], [1, 4, 7]]], np.uint8)
    assert str(explain(image, 2, 0, 1)) == (
        "pixel (0, 1) = (8, 2, 2)\n"
        "to center 0 = (8.5, 1.5, 2): "
        "(8 - 8.5)² + (2 - 1.5)² + (2 - 2)² = 0.25 + 0.25 + 0 = 0.50\n"
        "to center 1 = (0.5, 4.5, 7): "
        "(8 - 0.5)² + (2 - 4.5)² + (2 - 7)² = 56.25 + 6.25 + 25 = 87.50\n"
        "nearest: center 0"
    )


CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "rgb": (PHOTO, {}),
    "gray": (PHOTO[:, :, 0], {}),
    "lab": (PHOTO, {"space": "lab"}),
    "floats": (PHOTO / 255, {}),
    "16 bits": (PHOTO.astype(np.uint16) * 250, {}),
    "black and white": (PHOTO[:, :, 0] > 99, {"space": "lab"}),
    "negative": (PHOTO[:, :, 0].astype(int) - 200, {}),
    "close by": (PHOTO[:, :, 0] * 1e-9 + 1, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_text_comes_out(case: str) -> None:
    image, options = CASES[case]
    k = 2
    result = segment(image, k, **options)
    for row, column in ((0, 0), (3, 7), (8, 11)):
        explanation = explain(image, k, row, column, **options)
        assert explanation.label == result.labels[row, column]
        assert explanation.distances.argmin() == explanation.label
        np.testing.assert_array_equal(explanation.centers, result.centers)
        text = str(explanation)
        assert text.splitlines()[-1] == f"nearest: center {explanation.label}"
        lines = text.splitlines()[1:-1]
        assert len(lines) == k
        for line, distance in zip(lines, explanation.distances, strict=True):
            check_line(line, distance)


def check_line(line: str, distance: float) -> None:
    """Do the sums of a line again, from the numbers that are shown."""
    _, sums = line.split(": ")
    left, *right = re.split(" [=≈] ", sums)
    squares = right[0].split(" + ")
    shown = max(len(number.partition(".")[2]) for number in squares)
    for term, square in zip(left.split(" + "), squares, strict=True):
        again = eval(term.replace("²", "**2"))
        assert again == pytest.approx(float(square), abs=0.51 * 10.0**-shown, rel=1e-12)
    assert float(right[-1]) == pytest.approx(distance, abs=0.51 * 10.0**-shown)
    if f"= {right[-1]}" in sums and len(squares) > 1:
        assert sum(map(float, squares)) == pytest.approx(float(right[-1]))


def test_numbers_without_fractions_are_exact() -> None:
    first = next(r for r in trace(PHOTO, 3, init="k-means++") if isinstance(r, Assign))
    text = str(explain(PHOTO, 3, 2, 5, at=first))
    assert "≈" not in text
    assert "." not in text


def test_a_tie_is_told() -> None:
    text = str(explain([[0, 1, 2, 3, 4]], 2, 0, 2, at=first_pass([[0, 1, 2, 3, 4]], [[0], [4]])))
    assert text.splitlines() == [
        "pixel (0, 2) = 2",
        "to center 0 = 0: (2 - 0)² = 4",
        "to center 1 = 4: (2 - 4)² = 4",
        "nearest: center 0 (as near: 1; a tie goes to the lowest number)",
    ]


def first_pass(image: Any, init: Any) -> Assign:
    record = next(trace(image, len(init), init=init))
    assert isinstance(record, Assign)
    return record


def test_nearly_a_tie_shows_digits_enough() -> None:
    image = [[0.0, 1.0, 0.5000001]]
    text = str(explain(image, 2, 0, 2, at=first_pass(image, [[0.0], [1.0]])))
    assert "nearest: center 1" in text
    totals = [line.split()[-1] for line in text.splitlines()[1:-1]]
    assert float(totals[1]) < float(totals[0])


def test_at_any_moment_of_a_trace() -> None:
    for record in trace(PHOTO, 4, space="lab"):
        if isinstance(record, Assign):
            explanation = explain(PHOTO, 4, 6, 2, at=record, space="lab")
            assert explanation.label == record.labels[6, 2] == explanation.distances.argmin()


def test_an_explanation_does_not_refer_to_the_image() -> None:
    image = np.array([[0.0, 0.25, 1.0]])
    explanation = explain(image, 2, 0, 1)
    explanation.color[...] = explanation.point[...] = 7
    assert image.tolist() == [[0, 0.25, 1]]


def test_many_channels_are_shortened() -> None:
    image = RNG.normal(size=(4, 5, 31))
    text = str(explain(image, 2, 1, 1, space="raw"))
    assert max(map(len, text.splitlines())) < 250


def test_a_table_in_a_notebook() -> None:
    explanation = explain(PHOTO, 3, 1, 1)
    html = explanation._repr_html_()
    assert html.count("<tr") == 3
    assert html.count("font-weight:bold") == 1
    assert repr(explanation) == str(explanation)


def test_what_cannot_be_explained() -> None:
    with pytest.raises(ValueError, match="row=9 is outside the image: it must be from 0 to 8"):
        explain(PHOTO, 2, 9, 0)
    with pytest.raises(ValueError, match="column=-1"):
        explain(PHOTO, 2, 0, -1)
    with pytest.raises(TypeError, match="row must be an integer"):
        explain(PHOTO, 2, 0.5, 0)  # type: ignore[arg-type]
    other = first_pass(PHOTO[:4], [[0, 0, 0]])
    with pytest.raises(ValueError, match="give the image that was traced"):
        explain(PHOTO, 1, 0, 0, at=other)
    done = list(trace(PHOTO, 2))[-1]
    with pytest.raises(TypeError, match="at must be an Assign, a record of trace, not Done"):
        explain(PHOTO, 2, 0, 0, at=done)  # type: ignore[arg-type]
    gray = first_pass(PHOTO[..., 0], [[0]])
    with pytest.raises(ValueError, match="of an image with 1 channels, but image has 3"):
        explain(PHOTO, 1, 0, 0, at=gray)


def test_a_record_in_another_space_is_refused() -> None:
    records = [record for record in trace(PHOTO, 4, space="lab") if isinstance(record, Assign)]
    refused = 0
    for row, column in np.ndindex(PHOTO.shape[:2]):
        try:
            explanation = explain(PHOTO, 4, row, column, at=records[-1])
        except ValueError as error:
            assert "space='rgb'" in str(error)  # noqa: PT017 - not every pixel tells
            refused += 1
        else:
            assert explanation.label == explanation.distances.argmin()
    assert refused


@pytest.mark.filterwarnings("ignore::kmeans_seg.ConvergenceWarning")
def test_a_tie_in_the_new_order_is_told() -> None:
    image = [[0, 10, 20]]
    *_, last, _ = trace(image, 2, init=[[20], [0]], max_iter=1)
    assert isinstance(last, Assign)
    text = str(explain(image, 2, 0, 1, at=last))
    assert "nearest: center 1 (as near: 0; a tie goes to the darkest" in text


def test_it_warns_like_segment() -> None:
    with pytest.warns(ConvergenceWarning):
        explain(PHOTO, 3, 0, 0, max_iter=1)
