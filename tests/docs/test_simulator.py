"""docs/SIMULATOR.md: its example is a scenario, its commands are ones the program takes, its tables are made anew."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

from node.simulator.drawing import draw
from node.simulator.driving import DrivenNetwork
from node.simulator.reading import expand_nodes, read_scenario
from scripts import gen_docs
from tests.docs.pages import commands_shown, fault

PAGE = Path(__file__).resolve().parents[2] / "docs" / "SIMULATOR.md"


def test_the_example_is_a_scenario() -> None:
    examples = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert len(examples) == 1
    scenario = read_scenario(examples[0], "example.yaml")
    assert len(expand_nodes(scenario)) == 5
    assert {act.kind for seed in range(20) for act in draw(scenario, seed)} >= {"crash", "restore", "partition", "lie"}


def test_every_command_on_the_page_is_one_the_program_takes() -> None:
    shown = list(commands_shown(PAGE))
    assert len(shown) > 5
    assert [(" ".join(words), fault(words)) for words in shown if fault(words)] == []


def test_the_test_on_the_page_runs_in_a_folder_of_its_own(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert len(example.splitlines()) == 10
    (tmp_path / "test_mine.py").write_text(example, "utf-8")
    pytest_run = [sys.executable, "-m", "pytest", "-q", f"--basetemp={tmp_path / 'temporary'}", "test_mine.py"]
    done = subprocess.run(pytest_run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_the_page_tells_of_every_call_of_a_network() -> None:
    table = PAGE.read_text("utf-8").partition("## Test what you build")[2].partition("\n## ")[0]
    public = {name for name, _ in inspect.getmembers(DrivenNetwork) if not name.startswith("_")}
    untold = {name for name in public if not re.search(rf"\b{name}\b", table)}
    assert untold == {"close"}


def test_the_tables_are_those_of_the_schema() -> None:
    text = PAGE.read_text("utf-8")
    assert gen_docs.rewritten(text) == text, "run scripts/gen_docs and commit docs/"
    assert "| `at_minute` |" in text
    assert "| `create_channel` |" in text
