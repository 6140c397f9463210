"""Generate the flat package node/pb from proto/xinqiao/v1, or check that it is up to date.

protoc writes modules where the schema's folders are (xinqiao/v1/channel_pb2.py) and imports them from there.
We keep them in node/pb, so their imports are rewritten. The schema's own names do not change: the descriptor
is still called xinqiao/v1/channel.proto and the message xinqiao.v1.EntryHeader, which is what peers see.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[1]
PATTERNS = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py")

_IMPORT = re.compile(r"^from xinqiao\.v1(\.\w+_pb2)? import ", re.MULTILINE)
_MODULE_NAME = re.compile(r"(BuildTopDescriptorsAndMessages\(DESCRIPTOR, ')xinqiao\.v1\.")


def generate(schema: Path, scratch: Path) -> dict[str, str]:
    """Return the generated text by file name in node/pb; raises RuntimeError if protoc refuses the schema."""
    sources = sorted(path.relative_to(schema).as_posix() for path in schema.glob("xinqiao/v1/*.proto"))
    if not sources:
        return {}
    _run_protoc(schema, scratch, sources)
    texts = {path.name: flatten(path.read_text(encoding="utf-8")) for path in _generated(scratch / "xinqiao/v1")}
    # A schema file without services still gets a service module, which defines nothing.
    return {name: text for name, text in texts.items() if not name.endswith("_grpc.py") or "\nclass " in text}


def _run_protoc(schema: Path, scratch: Path, sources: list[str]) -> None:
    wellknown = Path(grpc_tools.__file__).parent / "_proto"
    outputs = [f"--{kind}_out={scratch}" for kind in ("python", "pyi", "grpc_python")]
    if protoc.main(["protoc", f"-I{schema}", f"-I{wellknown}", *outputs, *sources]) != 0:
        raise RuntimeError("protoc refused the schema; its message stands above")


def flatten(text: str) -> str:
    """Make one generated module import its siblings from node.pb and carry its name there."""
    text = _IMPORT.sub(lambda match: f"from node.pb{match[1] or ''} import ", text)
    return _MODULE_NAME.sub(r"\1node.pb.", text)


def _generated(folder: Path) -> list[Path]:
    return sorted(path for pattern in PATTERNS for path in folder.glob(pattern))


def differences(wanted: dict[str, str], package: Path) -> list[str]:
    """Name what is missing, stale or different in the package."""
    present = {path.name: path.read_text(encoding="utf-8") for path in _generated(package)}
    missing = [f"missing: {name}" for name in sorted(wanted.keys() - present.keys())]
    stale = [f"no longer generated: {name}" for name in sorted(present.keys() - wanted.keys())]
    changed = sorted(name for name in wanted.keys() & present.keys() if wanted[name] != present[name])
    return [*missing, *stale, *(f"differs: {name}" for name in changed)]


def write(wanted: dict[str, str], package: Path) -> None:
    """Write what is wanted and remove what is no longer generated; untouched files keep their times."""
    package.mkdir(parents=True, exist_ok=True)
    for path in _generated(package):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        path = package / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8", newline="\n")


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/gen_proto", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 and say what differs")
    parser.add_argument("--schema", type=Path, default=ROOT / "proto", help="folder that contains xinqiao/v1")
    parser.add_argument("--package", type=Path, default=ROOT / "node" / "pb", help="folder to generate into")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        wanted = generate(options.schema, Path(scratch))
    if not options.check:
        write(wanted, options.package)
        return 0
    found = differences(wanted, options.package)
    for line in found:
        print(line)
    if found:
        print("Run scripts/gen_proto and commit node/pb.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
