"""Joint lists for tests: their types and manifests, with an authority whose code cannot be issued."""

from typing import Any

from node.pb import channel_pb2, listing_pb2
from scripts.xq_generate import example_uscc
from tests.builders import EVERYONE

AUTHORITY = example_uscc("11", "310000", 1)
DEFINITION = f"""
code: serious-tax
title_zh: 重大税收违法失信主体名单
title_en: List of serious tax offenders
kind: serious
authority: "{AUTHORITY}"
legal_basis:
  - {{title: 税收征收管理法, article: 第六十三条}}
entry_conditions: 逃避缴纳税款，经税务机关处理后仍不履行
exit_conditions: 缴清税款、滞纳金和罚款，且列入满一年
remedy: 可在六十日内申请行政复议，或在六个月内提起行政诉讼
measures: [SHR-31-2, SHR-31-1]
term_months: 36
disclosure: A
audience: everyone
staleness_limit_s: 3600
"""


def make_list_type(**changes: Any) -> listing_pb2.ListType:
    """A serious list that makes sense."""
    fields: dict[str, Any] = {
        "code": "serious-tax",
        "title_zh": "重大税收违法失信主体名单",
        "title_en": "List of serious tax offenders",
        "kind": listing_pb2.LIST_KIND_SERIOUS,
        "authority": AUTHORITY,
        "legal_basis": [listing_pb2.LegalBasis(title="税收征收管理法", article="第六十三条")],
        "entry_conditions": "逃避缴纳税款，经税务机关处理后仍不履行",
        "exit_conditions": "缴清税款、滞纳金和罚款，且列入满一年",
        "remedy": "可在六十日内申请行政复议",
        "measures": ["SHR-31-1", "SHR-31-2"],
        "term_months": 36,
    }
    return listing_pb2.ListType(**(fields | changes))


def make_list_manifest(**changes: Any) -> channel_pb2.Manifest:
    """The manifest of that list: public, for everyone."""
    fields: dict[str, Any] = {
        "title": "重大税收违法失信主体名单",
        "audience": EVERYONE,
        "disclosure": channel_pb2.DISCLOSURE_CLASS_A,
        "priority": channel_pb2.PRIORITY_CONTROL,
        "list": make_list_type(),
    }
    return channel_pb2.Manifest(**(fields | changes))
