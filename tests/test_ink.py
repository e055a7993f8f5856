"""Lines and letters cover what they should."""

import numpy as np

from kmeans_seg import ink


def test_a_line_covers_its_area() -> None:
    canvas = ink.blank(21, 41, (0, 0, 0))
    ink.draw_line(canvas, np.array([[10.0, 10.0], [30.0, 10.0]]), 4, (100, 100, 100))
    area = canvas[:, :, 0].sum() / 100
    assert abs(area - (20 * 4 + np.pi * 2**2)) < 1  # with a half disk at each end
    assert canvas[10, 20].tolist() == [100, 100, 100]
    assert canvas[2, 20].tolist() == [0, 0, 0]


def test_a_slanted_line_has_smooth_edges() -> None:
    canvas = ink.blank(30, 30, (255, 255, 255))
    ink.draw_line(canvas, np.array([[3.0, 5.0], [26.0, 20.0]]), 2, (0, 0, 0))
    assert ((canvas > 0) & (canvas < 255)).any()
    assert canvas.min() == 0


def test_what_is_outside_is_cut_off() -> None:
    canvas = ink.blank(10, 10, (255, 255, 255))
    ink.draw_line(canvas, np.array([[-5.0, -5.0], [4.0, 4.0]]), 3, (0, 0, 0))
    ink.draw_line(canvas, np.array([[8.0, 8.0], [40.0, 40.0]]), 3, (0, 0, 0))
    ink.draw_line(canvas, np.array([[50.0, 50.0]]), 3, (0, 0, 0))
    ink.draw_line(canvas, np.array([[-50.0, -50.0]]), 3, (0, 0, 0))
    ink.draw_text(canvas, "cut off", (-6, 3), (0, 0, 0))
    assert canvas[0, 0].tolist() == [0, 0, 0]
    assert canvas[9, 9].tolist() == [0, 0, 0]


def test_every_letter_can_be_told_from_every_other() -> None:
    letters = [letter for letter in ink.LETTERS if letter != " "]
    pictures = []
    for letter in letters:
        canvas = ink.blank(24, 24, (0, 0, 0))
        ink.draw_text(canvas, letter, (4, 16), (1, 1, 1))
        pictures.append(canvas[:, :, 0])
        assert canvas.sum() > 2, letter
    for i, one in enumerate(pictures):
        for j, other in enumerate(pictures[:i]):
            assert np.abs(one - other).sum() > 2, (letters[i], letters[j])


def test_text_takes_the_room_that_is_told() -> None:
    text = "pass 12 of 46: 1,204 pixels, 34.5 %"
    for size in (1.5, 1.75, 3.0):
        width = ink.text_width(text, size)
        canvas = ink.blank(40, width + 40, (0, 0, 0))
        ink.draw_text(canvas, text, (20, 25), (1, 1, 1), size=size)
        columns = np.flatnonzero(canvas.any(axis=(0, 2)))
        assert 20 <= columns[0] <= 23
        assert width + 16 <= columns[-1] <= width + 20
        other = ink.blank(40, width + 40, (0, 0, 0))
        ink.draw_text(other, text, (width + 20, 25), (1, 1, 1), size=size, align="right")
        np.testing.assert_array_equal(canvas, other)
