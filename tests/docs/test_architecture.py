"""docs/ARCHITECTURE.md names what there is: every module, every package, and the way of one batch."""

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "ARCHITECTURE.md"
PARTS = ("node", "registry")


@cache
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def modules() -> list[str]:
    """What the page names as a module, a class in one or a function in one: node.core.channel.advance."""
    return sorted({name.rstrip(".") for name in re.findall(r"(?<![\w/.])(?:node|registry)(?:\.[A-Za-z_]\w*)+", page())})


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return (path / "__init__.py").is_file() or path.with_suffix(".py").is_file()


def defined(module: str, name: str) -> bool:
    """Whether a module's source defines a class, function or value of that name."""
    path = ROOT / module.replace(".", "/")
    source = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")
    return re.search(rf"^\s*(?:async def|def|class) {name}\b|^{name}\b.* = ", source, re.MULTILINE) is not None


def test_every_module_that_the_page_names_exists() -> None:
    named = modules()
    assert len(named) > 40
    wrong = []
    for name in named:
        parts = name.split(".")
        # The longest part of the name that is a module; what follows must be defined in it.
        size = max((size for size in range(1, len(parts) + 1) if is_module(".".join(parts[:size]))), default=0)
        rest = parts[size:]
        if not size or any(not defined(".".join(parts[:size]), each) for each in rest):
            wrong.append(name)
    assert wrong == []


def test_every_name_on_the_way_of_a_batch_is_defined() -> None:
    way = re.search(r"^## One batch.*?^```text\n(.*?)^```", page(), re.MULTILINE | re.DOTALL)
    assert way is not None
    text = way[1]
    sources = [path.read_text(encoding="utf-8") for part in PARTS for path in (ROOT / part).rglob("*.py")]
    functions = set(re.findall(r"(?<![\w.])_[a-z]\w+", text))
    methods = set(re.findall(r"\b[A-Z]\w+\.\w+", text))
    in_core = {f"node.{name}" for name in re.findall(r"(?<!node\.)\bcore(?:\.\w+)+", text)}
    assert "_split_by_novelty" in functions
    assert {"Delivery.wake", "Receiving.receive", "Receiving.acknowledge"} <= methods
    assert {"node.core.channel.advance", "node.core.state.fold"} <= in_core
    for name in functions:
        assert any(f"def {name}(" in source for source in sources), name
    for name in methods:
        owner, _, method = name.partition(".")
        both = [text for text in sources if re.search(rf"class {owner}\b", text) and f"def {method}(" in text]
        assert both, name
    for name in in_core:
        module, _, function = name.rpartition(".")
        assert is_module(module), name
        assert defined(module, function), name


def test_the_package_map_lists_every_package() -> None:
    house = page().partition("## The house")[2].partition("\n## ")[0]
    listed = set(re.findall(r"^\| `([\w/.]+)` \|", house, re.MULTILINE))
    packages = {
        path.parent.relative_to(ROOT).as_posix()
        for part in (*PARTS, "certs")
        for path in (ROOT / part).rglob("__init__.py")
    }
    assert packages <= listed, packages - listed
    assert [folder for folder in sorted(listed) if not (ROOT / folder).is_dir()] == []


def test_links_lead_to_pages_and_chapters_that_exist() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page()):
        file, _, anchor = target.partition("#")
        path = ROOT / "docs" / file
        assert path.exists(), target
        headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
        anchors = [re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings]
        assert not anchor or anchor in anchors, target


def test_decisions_are_numbered_without_gaps_and_hold_the_three_parts() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(path.name[:4]) for path in pages] == list(range(1, len(pages) + 1))
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {path.name[:4]} "), path.name
        parts = re.findall(r"^## (.*)$", text, re.MULTILINE)
        assert parts == ["Context", "Decision", "What it costs"], path.name


def test_code_that_cites_a_decision_cites_one_that_exists() -> None:
    sources = [path.read_text(encoding="utf-8") for part in PARTS for path in (ROOT / part).rglob("*.py")]
    cited = {name for text in sources for name in re.findall(r"docs/decisions/([\w-]+\.md)", text)}
    assert cited
    assert [name for name in sorted(cited) if not (ROOT / "docs" / "decisions" / name).is_file()] == []
