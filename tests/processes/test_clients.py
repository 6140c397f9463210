"""Clients that know nothing of Xinqiao: the standard health service with plain stubs, and `buf curl`."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.processes.commands import wait_until
from tests.processes.members import certificate_of, connection, pem_files, server_name
from tests.processes.network import HANGZHOU, PUDONG, SHANGHAI, Town

SERVING = health_pb2.HealthCheckResponse.SERVING
DUTIES = ("publishing", "receiving", "delivery", "membership", "answering")
BUF = Path(sys.executable).with_name("buf")


def stub_of(channel: grpc.Channel) -> Any:
    """The generated stub, whose methods carry no types."""
    return health_pb2_grpc.HealthStub(channel)


def test_plain_stubs_read_the_health_of_the_node_and_of_each_duty(town: Town) -> None:
    town.serve(SHANGHAI.id)
    with connection(town, PUDONG.id, SHANGHAI.id) as channel:
        health = stub_of(channel)
        for service in ("", *(f"xinqiao.{duty}" for duty in DUTIES)):
            asked = health_pb2.HealthCheckRequest(service=service)
            wait_until(lambda asked=asked: health.Check(asked, timeout=10).status == SERVING, f"{service} serves")  # type: ignore[misc]
        with pytest.raises(grpc.RpcError) as unknown:
            health.Check(health_pb2.HealthCheckRequest(service="unknown"), timeout=10)
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND


def test_without_a_members_certificate_there_is_no_handshake(town: Town) -> None:
    town.serve(SHANGHAI.id)
    address = town.setting(SHANGHAI.id, "listen")
    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as refused:
        stub_of(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    assert refused.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    other = Town(town.folder / "elsewhere", town.commands)
    other.init(HANGZHOU)
    with connection_of_a_stranger(town, other) as channel, pytest.raises(grpc.RpcError) as refused:
        stub_of(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    assert refused.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def connection_of_a_stranger(town: Town, other: Town) -> grpc.Channel:
    _, pinned = certificate_of(town, SHANGHAI.id)
    credentials = grpc.ssl_channel_credentials(pinned, *certificate_of(other, HANGZHOU.id))
    options = [("grpc.ssl_target_name_override", server_name(pinned))]
    return grpc.secure_channel(town.setting(SHANGHAI.id, "listen"), credentials, options)


def buf_curl(town: Town, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    key, certificate, pinned, name = pem_files(town, PUDONG.id, SHANGHAI.id, folder)
    address = f"https://{town.setting(SHANGHAI.id, 'listen')}"
    tls = ["--key", str(key), "--cert", str(certificate), "--cacert", str(pinned), "--servername", name]
    command = [str(BUF), "curl", "--protocol", "grpc", *tls, *arguments]
    return subprocess.run(
        [argument.replace("ADDRESS", address) for argument in command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"HOME": str(folder), "BUF_CACHE_DIR": str(folder / "buf")},
    )


@pytest.mark.skipif(not BUF.exists(), reason="the buf binary of the development lock is not installed")
def test_buf_curl_lists_the_services_and_reads_health_over_mutual_tls(town: Town, tmp_path: Path) -> None:
    town.set(SHANGHAI.id, reflection=True)
    town.serve(SHANGHAI.id)
    listed = buf_curl(town, tmp_path, "--list-services", "ADDRESS")
    assert listed.returncode == 0, listed.stderr
    assert "xinqiao.v1.ExchangeService" in listed.stdout.split()
    assert "grpc.health.v1.Health" in listed.stdout.split()
    checked = buf_curl(town, tmp_path, "ADDRESS/grpc.health.v1.Health/Check", "--data", "{}")
    assert checked.returncode == 0, checked.stderr
    assert json.loads(checked.stdout) == {"status": "SERVING"}


@pytest.mark.skipif(not BUF.exists(), reason="the buf binary of the development lock is not installed")
def test_reflection_is_off_unless_set(town: Town, tmp_path: Path) -> None:
    town.serve(SHANGHAI.id)
    assert buf_curl(town, tmp_path, "--list-services", "ADDRESS").returncode != 0
