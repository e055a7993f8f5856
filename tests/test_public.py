"""The public surface: these names and no others, each with its documentation."""

import dataclasses
import functools
import importlib
import inspect
import re
from types import ModuleType
from typing import Any

import pytest

import kmeans_seg

PUBLIC = {
    "AmbiguousShapeWarning",
    "Clustering",
    "ConvergenceWarning",
    "FewerClustersWarning",
    "KChoice",
    "NodataWarning",
    "Segmentation",
    "Step",
    "choose_k",
    "kmeans",
    "kmeans_plusplus",
    "lloyd",
    "read",
    "segment",
    "write",
}
FUNCTIONS = sorted(name for name in PUBLIC if inspect.isfunction(getattr(kmeans_seg, name)))
RECORDS = ["Clustering", "KChoice", "Segmentation", "Step"]


def docstring(thing: Any) -> str:
    text = inspect.getdoc(thing)
    assert text is not None
    return text


def section(text: str, title: str) -> str:
    """Return one section of a numpydoc docstring: what stands between two underlined titles."""
    found = re.search(
        rf"(?m)^{title}\n-{{{len(title)}}}\n((?:.*\n?)*?)(?=^\S.*\n-{{3,}}$|\Z)", text
    )
    assert found, f"no section {title}"
    return found[1]


def entries(text: str, title: str) -> list[str]:
    """Return the names that a section lists: the lines that are not indented."""
    return [
        name.strip()
        for line in section(text, title).splitlines()
        if line and not line.startswith(" ")
        for name in line.partition(":")[0].split(",")
    ]


def test_the_names_are_these_and_no_others() -> None:
    assert set(kmeans_seg.__all__) == PUBLIC
    assert list(kmeans_seg.__all__) == sorted(kmeans_seg.__all__)


def test_what_is_imported_later_is_there() -> None:
    assert {*dir(kmeans_seg)} == {*PUBLIC}
    with pytest.raises(AttributeError, match="'kmeans_seg' has no attribute 'nothing'"):
        kmeans_seg.nothing  # noqa: B018


def test_nothing_else_can_be_seen_but_modules() -> None:
    for name, value in vars(kmeans_seg).items():
        if not name.startswith("_") and name not in PUBLIC:
            assert isinstance(value, ModuleType), name
            assert value.__name__ == f"kmeans_seg.{name}"


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_name_has_a_docstring_with_an_example(name: str) -> None:
    text = docstring(getattr(kmeans_seg, name))
    summary, _, rest = text.partition("\n")
    assert summary.endswith(".")
    assert rest == "" or rest.startswith("\n")
    assert ">>> " in section(text, "Examples")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_parameter_and_result_is_documented(name: str) -> None:
    function = getattr(kmeans_seg, name)
    text = docstring(function)
    signature = inspect.signature(function)
    assert entries(text, "Parameters") == list(signature.parameters)
    if signature.return_annotation is not None:
        assert section(text, "Returns").strip()
    assert section(text, "Raises").strip()
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty


@pytest.mark.parametrize("name", FUNCTIONS)
def test_few_parameters_are_positional(name: str) -> None:
    kinds = [p.kind for p in inspect.signature(getattr(kmeans_seg, name)).parameters.values()]
    assert kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD) <= 2
    assert inspect.Parameter.VAR_KEYWORD not in kinds


@pytest.mark.parametrize("name", RECORDS)
def test_every_attribute_is_documented(name: str) -> None:
    record = getattr(kmeans_seg, name)
    public = [field.name for field in dataclasses.fields(record) if field.name[0] != "_"]
    assert entries(docstring(record), "Attributes") == public
    for member, value in vars(record).items():
        if inspect.isfunction(value) and not member.startswith("_"):
            _, *parameters = inspect.signature(value).parameters
            if parameters:
                assert entries(docstring(value), "Parameters") == parameters
            assert ">>> " in section(docstring(value), "Examples")
        elif isinstance(value, property | functools.cached_property):
            assert docstring(value).partition("\n")[0].endswith(".")


def test_the_defaults_are_the_documented_ones() -> None:
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(kmeans_seg.segment).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    assert defaults.pop("strategy") in importlib.import_module("kmeans_seg.segmentation").WAYS
    assert defaults == {
        "space": "rgb",
        "channel_axis": -1,
        "mask": None,
        "alpha_threshold": 0,
        "position": 0,
        "normalize": False,
        "out": None,
        "init": "auto",
        "n_init": 1,
        "max_iter": 1000,
        "tol": 0,
        "order": "brightness",
        "rng": 0,
        "assign": None,
        "callback": None,
    }
    shared = inspect.signature(kmeans_seg.kmeans).parameters
    for name in ("n_init", "max_iter", "tol", "rng", "callback"):
        assert shared[name].default == defaults[name]


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_name_says_where_it_lives(name: str) -> None:
    thing = getattr(kmeans_seg, name)
    module = importlib.import_module(thing.__module__)
    assert thing.__module__.startswith("kmeans_seg.")
    assert getattr(module, name) is thing
