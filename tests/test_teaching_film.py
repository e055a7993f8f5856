"""Films and strips: bounded, whole, and in the colors of the run that they show."""

import warnings
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from doses import dose
from numpy.typing import NDArray

from kmeans_seg import AmbiguousShapeWarning, FewerClustersWarning, segment
from kmeans_seg.teaching import animate, filmstrip, write_page
from kmeans_seg.teaching.film import BAR, GAP, LINE, MARGIN, evenly, halving
from kmeans_seg.teaching.preview import preview

Y, X = np.mgrid[:90, :150]
PHOTO = np.stack([X * 1.7, Y * 2.8, (X * Y) % 251], axis=2).astype(np.uint8)


def read(path: Path) -> NDArray[np.uint8]:
    frames: NDArray[np.uint8] = iio.imread(path, index=None, plugin="pillow")
    return frames


@pytest.mark.parametrize("max_frames", dose([1, 7], [1, 2, 7, 1000]))
def test_a_film_has_no_more_frames_than_asked_for(tmp_path: Path, max_frames: int) -> None:
    animate(PHOTO, 4, tmp_path / "steps.gif", max_frames=max_frames, width=100)
    passes = segment(preview(PHOTO, 100), 4).n_iter
    frames = read(tmp_path / "steps.gif")
    assert len(frames) == min(max_frames, 4 + passes)
    assert list(tmp_path.iterdir()) == [tmp_path / "steps.gif"]  # nothing else is left


def test_a_film_ends_in_the_result(tmp_path: Path) -> None:
    animate(PHOTO, 4, tmp_path / "steps.gif", width=100)
    result = segment(preview(PHOTO, 100), 4)
    last = read(tmp_path / "steps.gif")[-1]
    height, width = result.labels.shape
    top = MARGIN + LINE
    left = (last.shape[1] - width) // 2
    np.testing.assert_array_equal(last[top : top + height, left : left + width], result.painted)
    bar = last[top + height + GAP + BAR // 2, MARGIN:-MARGIN]
    assert [tuple(c) for c in bar[[0, -1]]] == [tuple(c) for c in result.palette[[0, -1]]]
    for color, count in zip(result.palette, result.counts, strict=True):
        share = (bar == color).all(axis=1).mean()
        assert share == pytest.approx(count / result.labels.size, abs=1 / len(bar))


@pytest.mark.parametrize("shape", [(40, 700), (700, 40), (300, 300), (3, 4), (1, 1)])
def test_a_film_is_as_wide_as_asked_for(tmp_path: Path, shape: tuple[int, int]) -> None:
    image = np.arange(np.prod(shape)).reshape(shape) % 250
    animate(image.astype(np.uint8), 1, tmp_path / "a.gif", width=300, max_frames=2)
    frames = read(tmp_path / "a.gif")
    assert frames.shape[2] <= 300 + 2 * MARGIN
    assert frames.shape[1] <= 300**2 // min(frames.shape[2], 16) + 300


def test_how_long_frames_stay(tmp_path: Path) -> None:
    animate(PHOTO, 2, tmp_path / "a.gif", width=40, max_frames=3, milliseconds=250)
    with iio.imopen(tmp_path / "a.gif", "r", plugin="pillow") as file:
        durations = [file.metadata(index=index)["duration"] for index in range(3)]
        assert file.metadata(index=0)["loop"] == 0  # for ever
    assert durations == [250, 250, 2250]


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (PHOTO[:, :, 0], {}),
        (PHOTO / 255, {"space": "lab"}),
        (PHOTO.astype(np.uint16) * 257, {"init": "random"}),
        (PHOTO[:, :, 0] > 99, {"init": [[0], [255]]}),
        (PHOTO, {"rng": None}),
        (PHOTO, {"rng": np.random.default_rng(8)}),
    ],
)
def test_films_of_all_sorts(tmp_path: Path, image: Any, options: dict[str, Any]) -> None:
    animate(image, 2, tmp_path / "a.gif", width=60, max_frames=4, **options)
    filmstrip(image, 2, tmp_path / "a.png", width=60, **options)
    assert read(tmp_path / "a.gif").any()
    assert read(tmp_path / "a.png").any()


def test_the_same_call_writes_the_same_file(tmp_path: Path) -> None:
    for name, rng in (("a.gif", 7), ("b.gif", np.random.default_rng(7))):
        animate(PHOTO, 3, tmp_path / name, width=60, rng=rng)
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_a_strip_has_no_more_frames_than_asked_for(tmp_path: Path, frames: int) -> None:
    filmstrip(PHOTO, 4, tmp_path / "strip.png", frames=frames, width=100)
    strip = read(tmp_path / "strip.png")
    small = preview(PHOTO, 100)
    height, width = small.shape[:2]
    assert strip.shape[1] == frames * (width + MARGIN) + MARGIN
    last = strip[MARGIN : MARGIN + height, -MARGIN - width : -MARGIN]
    np.testing.assert_array_equal(last, segment(small, 4).painted)
    if frames > 1:  # the first shows the image, but for the marks of the seeds
        first = strip[MARGIN : MARGIN + height, MARGIN : MARGIN + width]
        assert 0.8 < (first == small).all(axis=2).mean() < 1


def test_which_moments_are_chosen() -> None:
    for choose in (evenly, halving):
        for count in range(1, 40):
            for most in range(1, 45):
                chosen = choose(count, most)
                assert chosen == sorted(set(chosen))
                assert 1 <= len(chosen) <= min(count, most)
                assert chosen[-1] == count - 1
                assert chosen[0] == 0 or most == 1
    gaps = np.diff(evenly(100, 12))
    assert gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize("write", [animate, write_page])
def test_a_shape_is_warned_of_once(write: Any, tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 3), np.uint8)
    name = "a.gif" if write is animate else "a.html"
    with pytest.warns(AmbiguousShapeWarning) as caught:
        write(image, 2, tmp_path / name)
    assert len(caught) == 1


def test_warnings_are_given_once(tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        animate(np.zeros((5, 5), np.uint8), 3, tmp_path / "a.gif")
    assert [warning.category for warning in caught] == [FewerClustersWarning]


def test_files_are_not_overwritten_unless_told_to(tmp_path: Path) -> None:
    for write, name in ((animate, "a.gif"), (filmstrip, "a.png")):
        path = tmp_path / name
        path.write_text("precious")
        with pytest.raises(FileExistsError, match=name):
            write(PHOTO, 2, path, overwrite=False)
        assert path.read_text() == "precious"
        write(PHOTO, 2, path, width=50)
        assert read(path).any()


def test_what_is_wrong_is_said_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"end the name in \.gif"):
        animate(PHOTO, 2, tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"suffix '\.xyz' is not known"):
        filmstrip(PHOTO, 2, tmp_path / "a.xyz")
    with pytest.raises(ValueError, match="max_frames=0"):
        animate(PHOTO, 2, tmp_path / "a.gif", max_frames=0)
    with pytest.raises(ValueError, match=r"milliseconds=60001 is too large: .* at most 60000"):
        animate(PHOTO, 2, tmp_path / "a.gif", milliseconds=60_001)
    with pytest.raises(ValueError, match="milliseconds=0"):
        animate(PHOTO, 2, tmp_path / "a.gif", milliseconds=0)
    with pytest.raises(ValueError, match="frames=0"):
        filmstrip(PHOTO, 2, tmp_path / "a.png", frames=0)
    with pytest.raises(ValueError, match=r"width=10001 is too large: .* at most 10000"):
        animate(PHOTO, 2, tmp_path / "a.gif", width=10_001)
    with pytest.raises(ValueError, match="width=0"):
        filmstrip(PHOTO, 2, tmp_path / "a.png", width=0)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        animate(PHOTO, 2, tmp_path / "nowhere" / "a.gif", width=20)
    assert not list(tmp_path.iterdir())


def test_the_letters_of_a_film_stay_gray(tmp_path: Path) -> None:
    photo = np.random.default_rng(0).integers(256, size=(90, 150, 3)).astype(np.uint8)
    photo[..., 1] = 0  # no gray in it
    animate(photo, 4, tmp_path / "steps.gif", max_frames=9, width=150)
    for frame in read(tmp_path / "steps.gif"):
        caption = frame[: MARGIN + LINE - 6].astype(int)  # above the picture
        assert caption.min() < 200
        assert np.ptp(caption, axis=2).max() == 0
