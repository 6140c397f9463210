"""node/pb is what scripts/gen_proto makes of proto/xinqiao/v1, and the declared floors can run it."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GENERATOR = ROOT / "scripts" / "gen_proto.py"

MESSAGES = """
syntax = "proto3";
package xinqiao.v1;
message Alpha { bytes hash = 1; }
"""
SERVICE = """
syntax = "proto3";
package xinqiao.v1;
import "xinqiao/v1/alpha.proto";
message GoRequest { Alpha alpha = 1; }
message GoResponse {}
service AlphaService { rpc Go(GoRequest) returns (GoResponse); }
"""


def run_generator(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(GENERATOR), *map(str, arguments)], capture_output=True, text=True, check=False
    )


def write_schema(folder: Path) -> Path:
    """Write a small schema with one file of messages and one service; returns the folder to search."""
    (folder / "xinqiao/v1").mkdir(parents=True)
    (folder / "xinqiao/v1/alpha.proto").write_text(MESSAGES, encoding="utf-8")
    (folder / "xinqiao/v1/alpha_service.proto").write_text(SERVICE, encoding="utf-8")
    return folder


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def floor(project: str) -> tuple[int, ...]:
    """Return the lowest version of a runtime dependency that pyproject.toml allows."""
    requirements = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    (found,) = [match[1] for line in requirements if (match := re.match(rf"{project}>=([\d.]+)", line))]
    return version(found)


def test_the_committed_modules_are_what_the_schema_generates() -> None:
    result = run_generator("--check")
    assert result.returncode == 0, result.stdout + result.stderr


def test_generating_writes_flat_modules_that_name_node_pb(tmp_path: Path) -> None:
    package = tmp_path / "pb"
    assert run_generator("--schema", write_schema(tmp_path / "proto"), "--package", package).returncode == 0
    assert sorted(path.name for path in package.iterdir()) == [
        "alpha_pb2.py",
        "alpha_pb2.pyi",
        "alpha_service_pb2.py",
        "alpha_service_pb2.pyi",
        "alpha_service_pb2_grpc.py",
    ]
    for path in package.iterdir():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^(from|import) xinqiao", text, re.MULTILINE), path.name
        assert "'xinqiao.v1.alpha" not in text, path.name
    assert "xinqiao/v1/alpha.proto" in (package / "alpha_pb2.py").read_text(encoding="utf-8")


def test_the_check_names_missing_stale_and_changed_modules(tmp_path: Path) -> None:
    schema, package = write_schema(tmp_path / "proto"), tmp_path / "pb"
    run_generator("--schema", schema, "--package", package)
    (package / "alpha_pb2.pyi").unlink()
    (package / "alpha_service_pb2.py").write_text("edited = True\n", encoding="utf-8")
    (package / "omega_pb2.py").write_text("", encoding="utf-8")
    result = run_generator("--schema", schema, "--package", package, "--check")
    assert result.returncode == 1
    assert result.stdout.splitlines()[:3] == [
        "missing: alpha_pb2.pyi",
        "no longer generated: omega_pb2.py",
        "differs: alpha_service_pb2.py",
    ]


def test_generating_again_removes_stale_modules_and_changes_nothing_else(tmp_path: Path) -> None:
    schema, package = write_schema(tmp_path / "proto"), tmp_path / "pb"
    run_generator("--schema", schema, "--package", package)
    before = {path.name: path.stat().st_mtime_ns for path in package.iterdir()}
    (package / "omega_pb2_grpc.py").write_text("", encoding="utf-8")
    run_generator("--schema", schema, "--package", package)
    assert {path.name: path.stat().st_mtime_ns for path in package.iterdir()} == before


def test_a_schema_that_protoc_refuses_leaves_the_package_alone(tmp_path: Path) -> None:
    schema, package = write_schema(tmp_path / "proto"), tmp_path / "pb"
    run_generator("--schema", schema, "--package", package)
    before = sorted(path.name for path in package.iterdir())
    (schema / "xinqiao/v1/alpha.proto").write_text("message {", encoding="utf-8")
    result = run_generator("--schema", schema, "--package", package)
    assert result.returncode != 0
    assert "alpha.proto" in result.stderr
    assert sorted(path.name for path in package.iterdir()) == before


def test_the_declared_floors_can_run_the_generated_code(tmp_path: Path) -> None:
    package = tmp_path / "pb"
    run_generator("--schema", write_schema(tmp_path / "proto"), "--package", package)
    messages = (package / "alpha_pb2.py").read_text(encoding="utf-8")
    service = (package / "alpha_service_pb2_grpc.py").read_text(encoding="utf-8")
    (protobuf_needed,) = re.findall(r"^# Protobuf Python Version: ([\d.]+)$", messages, re.MULTILINE)
    (grpc_needed,) = re.findall(r"^GRPC_GENERATED_VERSION = '([\d.]+)'$", service, re.MULTILINE)
    assert floor("protobuf") >= version(protobuf_needed)
    assert floor("grpcio") >= version(grpc_needed)
