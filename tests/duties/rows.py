"""Rows of registration.base for duty tests, with codes that no registrar can issue."""

from functools import cache

from node.core.audience import parse_audience
from node.core.catalogue import Item, natural_key, parse_edition, subject_of
from node.core.record import Candidate, build_record, content_hash
from node.pb import channel_pb2
from scripts.xq_generate import example_division, example_uscc
from tests.wire import EDITION


@cache
def item() -> Item:
    """The catalogue item of these rows."""
    return parse_edition(EDITION.read_bytes()).item("registration.base")


def code_of(serial: int) -> str:
    """The subject's code of a row."""
    return example_uscc("91", example_division("310000"), serial)


def row(serial: int, name: str = "示例有限公司", number: int | None = None) -> Candidate:
    """The row of one subject; another name is a revision."""
    values_by_code = {
        "uni_social_crd_cd": code_of(serial),
        "comp_nm": name,
        "reg_state": "存续",
        "reg_org": "示例登记机关",
    }
    values = {item().by_code[code].number: text for code, text in values_by_code.items()}
    record = build_record(item().id, values)
    key, subject = natural_key(item(), values), subject_of(item(), values)
    return Candidate(number or serial, record, key, content_hash(record), subject, "")


def manifest(audience: str = "everyone") -> channel_pb2.Manifest:
    """A public channel of these rows."""
    return channel_pb2.Manifest(
        title="登记信息",
        item=item().id,
        audience=parse_audience(audience),
        disclosure=channel_pb2.DISCLOSURE_CLASS_A,
    )
