"""The nodes, channels and officers of a small network for demonstrations: real places, example authorities."""

from dataclasses import dataclass

from scripts.xq_generate import example_uscc


@dataclass(frozen=True)
class Place:
    """A node of the demonstration; division is the one its example authority is named after."""

    id: str
    name: str
    level: str
    parent: str
    division: str
    serial: int

    @property
    def authority(self) -> str:
        """The code of the body it speaks for, one that cannot be issued."""
        return example_uscc("11", self.division, self.serial)

    @property
    def home(self) -> str:
        """Its home, seen from the work directory."""
        return f"nodes/{self.id}"


@dataclass(frozen=True)
class Topic:
    """A channel of the demonstration and who must hold it in the end, its origin first."""

    origin: str
    name: str
    item: str
    audience: str
    disclosure: str
    holders: tuple[str, ...]

    @property
    def channel(self) -> str:
        """Its name in the network."""
        return f"{self.origin}/{self.name}"


PLACES = (
    Place("national", "全国信用信息共享平台（示例）", "national", "", "110000", 1),
    Place("yrd", "长三角区域信用合作平台（示例）", "region", "national", "310000", 2),
    Place("310000", "上海市", "province", "national", "310000", 3),
    Place("310115", "浦东新区", "district", "310000", "310115", 4),
    Place("330100", "杭州市", "city", "national", "330100", 5),
    Place("320500", "苏州市", "city", "national", "320500", 6),
)
BY_ID = {place.id: place for place in PLACES}
EVERYBODY = ("national", "yrd", "310000", "310115", "330100", "320500")
TOPICS = (
    Topic("310000", "penalties", "penalty.2018", "everyone", "A", ("310000", *(n for n in EVERYBODY if n != "310000"))),
    Topic("310115", "licences", "licence.2018", "national,region=31", "C", ("310115", "310000", "national")),
    Topic("330100", "penalties", "penalty.2018", "region=33,national,yrd", "C", ("330100", "national", "yrd")),
    Topic("320500", "licences", "licence.2018", "everyone", "A", ("320500", *(n for n in EVERYBODY if n != "320500"))),
)
OFFICERS = ("officer-1", "officer-2", "officer-3")
SIGNING = OFFICERS[:2]  # two of three decide; the third key never leaves its home
