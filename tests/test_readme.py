"""The README: its examples run and give what they show, and what it points to is there."""

import doctest
import importlib
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from samples import COFFEE

from kmeans_seg import cli

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def beside_a_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to an empty directory with photo.jpg in it."""
    shutil.copy(COFFEE, tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_fresh_machine_needs_two_commands() -> None:
    commands = blocks("sh")
    assert [command.count("\n") for command in commands] == [1, 1]
    main_job, tests = commands
    assert "--demo" in main_job
    assert "pytest" in tests


def test_the_examples_give_what_they_show(beside_a_photo: Path) -> None:
    examples = doctest.DocTestParser().get_doctest(
        "\n".join(blocks("python")), {}, "README", None, 0
    )
    outcome = doctest.DocTestRunner().run(examples)
    assert outcome.attempted > 0
    assert outcome.failed == 0
    for name in ("segments.png", "steps.gif", "steps.html"):
        assert (beside_a_photo / name).stat().st_size > 0


def test_the_commands_do_what_they_say(beside_a_photo: Path) -> None:
    commands = [shlex.split(line) for block in blocks("console") for line in block.splitlines()]
    for prompt, name, *arguments in commands:
        assert (prompt, name) == ("$", "kmeans-seg")
        assert cli.main(arguments) == 0
    for name in ("photo-segmented.png", "poster.png", "labels.png", "four.png", "steps.html"):
        assert (beside_a_photo / name).stat().st_size > 0


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/design.md"])
def test_links_lead_to_files(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    missing = [link for link in links if not (ROOT / page).parent.joinpath(link).exists()]
    assert missing == []


def test_every_file_of_the_package_is_in_the_reading_order() -> None:
    listed = re.findall(r"^\d+\. \[(\w+\.py|fast/|teaching/)\]", README, re.MULTILINE)
    files = [path.name for path in COFFEE.parents[1].glob("*.py") if not path.name.startswith("__")]
    assert sorted(listed) == sorted([*files, "fast/", "teaching/"])


def test_the_six_steps_stand_where_it_says() -> None:
    rows = re.findall(
        r"^\| (\d)\. .*\| \[(\w+)\.py\]\(.*\) \| `([\w.]+)`.*\|$", README, re.MULTILINE
    )
    assert [number for number, _, _ in rows] == list("123456")
    for _, module, name in rows:
        found: Any = importlib.import_module(f"kmeans_seg.{module}")
        for attribute in name.split("."):
            found = getattr(found, attribute)
        assert found.__module__ == f"kmeans_seg.{module}"
