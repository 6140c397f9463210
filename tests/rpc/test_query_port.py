"""The query port over real mutual TLS: registered systems, each for what it may ask, and nobody else."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS
from node.core.list_type import SERIOUS
from node.keys.certificate import target_name
from node.pb import query_service_pb2 as pb
from node.pb import query_service_pb2_grpc
from node.query_clients import QueryClient, QueryClients, make_client
from node.rpc import tls
from node.rpc.query_port import QueryPort, start_query_port
from node.rpc.refusals import from_rpc_error
from tests.builders import UNIT
from tests.duties.test_answers import NOT_ON_IT, ON_IT, READER, Town
from tests.duties.test_querying import CountingWriter
from tests.list_writer import subject_of
from tests.rpc.mtls import Credentials, make_credentials, run

QUESTION = pb.QueryQuestion(officer="李明", unit=UNIT, matter="bidding.tender", ground="招标投标法第三十三条")
LIMITS = replace(DEFAULT_LIMITS, max_concurrent_calls_per_peer=3, stream_idle_deadline_s=0.3)


class Office:
    """A reader with a query port, and the systems that call it."""

    def __init__(self, town: Town, clients: QueryClients, port: QueryPort, own: Credentials) -> None:
        self.town = town
        self.clients = clients
        self.port = port
        self.own = own
        self.keys: dict[str, Credentials] = {}
        self.channels: list[grpc.aio.Channel] = []

    def register(self, name: str = "portal", **changes: Any) -> None:
        """Register a system, anew where it is there."""
        self.keys.setdefault(name, make_credentials(name))
        allowed = {"unit": UNIT, "matters": ["bidding.tender"], "officers": ["李明"]} | changes
        client = make_client(name, self.keys[name].certificate, **allowed)
        self.clients.put([each for each in self.clients.all().values() if each.name != name] + [client])

    def stub(self, name: str = "portal") -> Any:
        """The service as a system calls it over a connection of its own."""
        self.keys.setdefault(name, make_credentials(name))
        return self.stub_of(tls.channel_credentials([self.own.certificate], *self.keys[name].pair()))

    def stub_of(self, credentials: grpc.ChannelCredentials) -> Any:
        """The same with these credentials."""
        named = [("grpc.ssl_target_name_override", target_name(READER)), ("grpc.use_local_subchannel_pool", 1)]
        self.channels.append(grpc.aio.secure_channel(f"127.0.0.1:{self.port.port}", credentials, named))
        return query_service_pb2_grpc.QueryServiceStub(self.channels[-1])


@asynccontextmanager
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    town, own, clients = await Town(SERIOUS).open(), make_credentials(READER), QueryClients(tmp_path)
    port = await start_query_port(town.node, clients, address="127.0.0.1:0", identity=own.pair, limits=LIMITS)
    found = Office(town, clients, port, own)
    try:
        yield found
    finally:
        for channel in found.channels:
            await channel.close()
        await port.drain(0)


async def code_of(call: Any) -> str:
    """The code with which a call is refused; empty where it is answered."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error, peer="node", address="here").code
    return ""


async def sweep(stub: Any, chunks: Iterable[Sequence[str]], question: pb.QueryQuestion = QUESTION) -> int:
    """How many subjects were answered; raises what ends the sweep."""
    requests = [pb.SweepRequest(question=question), *(pb.SweepRequest(subjects=chunk) for chunk in chunks)]
    return sum([response.count async for response in stub.Sweep(iter(requests))])


def test_a_registered_system_is_answered_and_its_question_stands_in_the_log(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as at:
            at.register()
            stub = at.stub()
            answer = (await stub.Check(pb.CheckRequest(question=QUESTION, subject=ON_IT))).answer
            assert (answer.verdict, answer.query) == (pb.QUERY_VERDICT_LISTED, 1)
            assert await sweep(stub, [[ON_IT, NOT_ON_IT], [subject_of(5)]]) == 3
            asked = [(entry.query.question.officer, entry.query.count) for entry in at.town.node.querying.entries()]
            assert asked == [("李明", 1), ("李明", 2), ("李明", 1)]

    run(scenario())


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"unit": ON_IT}, "unit"), ({"matter": "other"}, "matter"), ({"officer": "王芳"}, "officer")],
)
def test_a_system_asks_for_its_unit_matters_and_officers_and_for_nobody_else(
    tmp_path: Path, changes: dict[str, str], why: str
) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as at:
            at.register()
            at.register("wide", matters=["bidding.tender", "other"], officers=["李明", "王芳"])
            question = pb.QueryQuestion()
            question.CopyFrom(QUESTION)
            for name, text in changes.items():
                setattr(question, name, text)
            stub = at.stub()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Check(pb.CheckRequest(question=question, subject=ON_IT))
            error = from_rpc_error(caught.value, peer="node", address="here")
            assert (error.code, error.parameters["client"]) == ("QUERY_CLIENT", "portal")
            assert why in error.parameters["why"]
            assert await code_of(sweep(stub, [[ON_IT]], question)) == "QUERY_CLIENT"
            # What it is registered for does not make it allowed: everything else holds for it, too.
            if "unit" not in changes:
                code = await code_of(at.stub("wide").Check(pb.CheckRequest(question=question, subject=ON_IT)))
                assert code in ("QUERY_MATTER", "QUERY_OFFICER")
            assert at.town.node.world.store.last_query() is None

    run(scenario())


def test_who_is_not_registered_is_not_let_in_and_who_is_taken_out_gets_nothing_more(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as at:
            request = pb.CheckRequest(question=QUESTION, subject=ON_IT)
            assert await code_of(at.stub("stranger").Check(request, timeout=5)) == "WIRE_UNREACHABLE"
            at.register()
            at.register("other")
            stub, sweeping = at.stub(), at.stub()
            await stub.Check(request)
            stream = sweeping.Sweep()
            await stream.write(pb.SweepRequest(question=QUESTION))
            await stream.write(pb.SweepRequest(subjects=[ON_IT]))
            assert (await stream.read()).count == 1
            at.clients.put([each for each in at.clients.all().values() if each.name != "portal"])
            assert await code_of(stub.Check(request)) == "QUERY_CLIENT"
            await stream.write(pb.SweepRequest(subjects=[ON_IT]))
            assert await code_of(stream.read()) == "QUERY_CLIENT"
            assert await code_of(at.stub("other").Check(request)) == ""

    run(scenario())


def test_what_a_registered_certificate_signs_is_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as at:
            authority, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
            root = signed("authority", authority, "authority", authority, is_authority=True)
            minted = signed("minted", leaf, "authority", authority, is_authority=False)
            der = root.public_bytes(Encoding.DER)
            at.clients.put([make_client("authority", der, UNIT, ["bidding.tender"], ["李明"])])
            chain = minted.public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM)
            for key, shown, code in ((authority, root.public_bytes(Encoding.PEM), ""), (leaf, chain, "QUERY_CLIENT")):
                pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
                stub = at.stub_of(grpc.ssl_channel_credentials(tls.as_pem([at.own.certificate]), pem, shown))
                request = pb.CheckRequest(question=QUESTION, subject=ON_IT)
                assert await code_of(stub.Check(request, timeout=5)) == code

    run(scenario())


def signed(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, signer: ec.EllipticCurvePrivateKey, *, is_authority: bool
) -> x509.Certificate:
    """A certificate of one key, signed by another or by itself."""
    by, of = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (issuer, name))
    start = datetime.now(UTC) - timedelta(minutes=1)
    builder = x509.CertificateBuilder(by, of, key.public_key(), 1 + is_authority, start, start + timedelta(days=1))
    constraints = x509.BasicConstraints(ca=is_authority, path_length=None)
    return builder.add_extension(constraints, critical=True).sign(signer, hashes.SHA256())


def test_a_table_that_cannot_be_read_lets_nobody_in(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as at:
            at.register()
            stub, request = at.stub(), pb.CheckRequest(question=QUESTION, subject=ON_IT)
            await stub.Check(request)
            content = at.clients.path.read_bytes()
            at.clients.path.write_bytes(content + b"[")
            assert await code_of(stub.Check(request)) == "QUERY_CLIENTS"
            with pytest.raises(XinqiaoError, match="QUERY_CLIENTS"):
                await start_query_port(
                    at.town.node, QueryClients(tmp_path), address="127.0.0.1:0", identity=at.own.pair
                )
            at.clients.path.write_bytes(content)
            await stub.Check(request)
            at.clients.path.unlink()
            assert await code_of(stub.Check(request)) == "QUERY_CLIENT"

    run(scenario())


def test_the_query_log_and_batches_are_not_served(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as at:
            at.register()
            stub = at.stub()
            assert await code_of(stub.ListQueries(pb.ListQueriesRequest())) == "QUERY_CLIENT"
            assert await code_of(stub.VerifyQueries(pb.VerifyQueriesRequest())) == "QUERY_CLIENT"
            batch = stub.CheckBatch(iter([pb.CheckBatchRequest(question=QUESTION)]))
            assert await code_of(batch.read()) == "QUERY_CLIENT"

    run(scenario())


def test_no_answer_leaves_where_the_question_cannot_be_kept(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as at:
            at.register()
            writer = CountingWriter(at.town.node.world.store)
            writer.failing = {0: ("DISK_FULL", True), 1: ("DATABASE", False)}
            at.town.node.querying._writer = writer
            stub = at.stub()
            assert await code_of(stub.Check(pb.CheckRequest(question=QUESTION, subject=ON_IT))) == "DISK_FULL"
            assert await code_of(sweep(stub, [[ON_IT]])) == "DATABASE"

    run(scenario())


def test_g12_a_system_has_so_many_calls_at_a_time_and_none_in_which_nothing_moves(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with office(tmp_path) as at:
            at.register()
            stub = at.stub()
            silent = [stub.Sweep() for _ in range(3)]
            for each in silent:
                await each.write(pb.SweepRequest(question=QUESTION))
            await asyncio.sleep(0.05)
            request = pb.CheckRequest(question=QUESTION, subject=ON_IT)
            assert await code_of(stub.Check(request)) == "RATE_LIMITED"
            assert [await code_of(each.read()) for each in silent] == ["WIRE_IDLE"] * 3
            assert await code_of(stub.Check(request)) == ""

    run(scenario())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"unit": "示例"}, "credit code"),
        ({"matters": []}, "at least one matter"),
        ({"matters": ["No"]}, "no code of a matter"),
        ({"officers": []}, "at least one officer"),
        ({"name": "Portal"}, "no name"),
    ],
)
def test_a_system_is_registered_for_something_that_can_be(changes: dict[str, Any], said: str) -> None:
    given = {"name": "portal", "unit": UNIT, "matters": ["a.b"], "officers": ["li"]} | changes
    with pytest.raises(ValueError, match=said):
        make_client(certificate=make_credentials("portal").certificate, **given)


def namesakes(name: str) -> list[Credentials]:
    """Two keys with certificates of one subject."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    found = [signed(name, key, name, key, is_authority=False) for key in keys]
    return [Credentials(b"", each.public_bytes(Encoding.DER)) for each in found]


def test_the_table_is_read_back_as_written_and_two_systems_with_one_key_or_subject_are_refused(tmp_path: Path) -> None:
    def client(name: str, credentials: Credentials) -> QueryClient:
        return make_client(name, credentials.certificate, UNIT, ["a.b", "c.d"], ["li", "王芳"])

    one, other, namesake = make_credentials("one"), make_credentials("other"), namesakes("one")
    clients = [client("one", one), client("other", other)]
    QueryClients(tmp_path).put(clients)
    assert list(QueryClients(tmp_path).all().values()) == clients
    assert (tmp_path / "query-clients.toml").stat().st_mode & 0o777 == 0o600
    wrong = ([*clients, client("two", one)], [client(name, each) for name, each in zip("ab", namesake, strict=True)])
    for each in wrong:
        with pytest.raises(XinqiaoError, match="QUERY_CLIENTS"):
            QueryClients(tmp_path).put(each)
    assert list(QueryClients(tmp_path).all().values()) == clients
