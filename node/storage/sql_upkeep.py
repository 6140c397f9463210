"""What a node keeps of its links, alarms and registry files, in the tables."""

import json
from abc import abstractmethod
from collections.abc import Iterable, Mapping

from node.core.limits import Limits
from node.ports import LinkState, RegistryFileRecord
from node.storage.sql_reading import MAX_INTEGER, SqlReader

_PUT_LINK = (
    "INSERT INTO links (node, failures, retry_at_ms, last_success_ms, clock_skew_ms, failure)"
    " VALUES (:node, :failures, :retry_at_ms, :last_success_ms, :clock_skew_ms, :failure)"
    " ON CONFLICT (node) DO UPDATE SET failures = excluded.failures, retry_at_ms = excluded.retry_at_ms,"
    " last_success_ms = excluded.last_success_ms, clock_skew_ms = excluded.clock_skew_ms, failure = excluded.failure"
)
_RAISE_ALARM = (
    "INSERT INTO alarms (code, subject, parameters, first_seen_ms, last_seen_ms, count)"
    " VALUES (:code, :subject, :parameters, :now_ms, :now_ms, 1) ON CONFLICT (code, subject) DO UPDATE SET"
    " parameters = excluded.parameters, last_seen_ms = excluded.last_seen_ms, count = alarms.count + 1"
)
_DROP_OLD_ALARMS = (
    "DELETE FROM alarms WHERE (code, subject) IN (SELECT code, subject FROM alarms"
    " ORDER BY last_seen_ms DESC, code, subject LIMIT :all OFFSET :kept)"
)
_CLEAR_ALARM = "DELETE FROM alarms WHERE code = :code AND subject = :subject"
_DROP_REGISTRY_FILE = "DELETE FROM registry_files WHERE name = :name"
_PUT_REGISTRY_FILE = (
    "INSERT INTO registry_files (name, content) VALUES (:name, :content)"
    " ON CONFLICT (name) DO UPDATE SET content = excluded.content"
)


class SqlUpkeepWriter(SqlReader):
    """Part of the StoreTransaction over the transaction that is open."""

    _limits: Limits

    @abstractmethod
    def _change(self, statement: str, **values: object) -> int: ...

    def put_link(self, state: LinkState) -> None:
        self._change(
            _PUT_LINK,
            node=state.node,
            failures=state.failures,
            retry_at_ms=state.retry_at_ms,
            last_success_ms=state.last_success_ms,
            clock_skew_ms=state.clock_skew_ms,
            failure=state.failure,
        )

    def raise_alarm(self, code: str, subject: str, parameters: Mapping[str, str], now_ms: int) -> None:
        written = json.dumps(dict(parameters), ensure_ascii=False, sort_keys=True)
        self._change(_RAISE_ALARM, code=code, subject=subject, parameters=written, now_ms=now_ms)
        self._change(_DROP_OLD_ALARMS, all=MAX_INTEGER, kept=self._limits.max_alarms_kept)

    def clear_alarm(self, code: str, subject: str) -> None:
        self._change(_CLEAR_ALARM, code=code, subject=subject)

    def replace_registry_files(self, files: Iterable[RegistryFileRecord], keep: Iterable[str]) -> None:
        contents = {file.name: file.content for file in files}
        kept = contents.keys() | set(keep)
        for file in list(self.registry_files()):
            if file.name not in kept:
                self._change(_DROP_REGISTRY_FILE, name=file.name)
        for name, content in sorted(contents.items()):
            self._change(_PUT_REGISTRY_FILE, name=name, content=content)
