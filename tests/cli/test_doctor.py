"""How the doctor's findings read."""

import pytest

from node.cli.doctor import subject_of
from node.core.diagnosis import Check
from node.pb import admin_service_pb2 as pb
from node.texts import speaking


@pytest.mark.parametrize("check", [Check.CLOCK, Check.CALLS_OUT, Check.CALLS_IN])
def test_the_id_of_a_member_is_never_translated_even_where_it_is_a_word(check: Check) -> None:
    with speaking("zh"):
        assert subject_of(pb.Finding(check=check.value, subject="national")) == "national"


def test_a_role_of_the_registry_is_named_in_the_readers_language() -> None:
    finding = pb.Finding(check=Check.VALIDITY.value, subject="registry root")
    with speaking("en"):
        assert subject_of(finding) == "registry root"
    with speaking("zh"):
        assert subject_of(finding) == "登记中心 根"
        assert subject_of(pb.Finding(check=Check.CLOCK.value, subject="the registry")) == "登记中心"
