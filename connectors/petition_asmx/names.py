"""Names as the petition office writes them: padded, joined, anonymous, with a village committee behind."""

import re
from dataclasses import dataclass

_BLANKS = re.compile(r"[\s\u200b-\u200f\u2060\ufeff]+")
_AND_OTHERS = re.compile(r"(?:等|及其他)(?:(\d{1,5})(?:人|名|户|家)|人)$", re.ASCII)
_APPENDED = re.compile(r"(?:村委会|村民委员会|居委会|居民委员会|村经济合作社)$")
_BODY = (
    "公司", "医院", "厂", "店", "商行", "超市", "合作社", "委员会", "合伙", "中心", "银行", "学校", "大学", "小学",
    "中学", "幼儿园", "事务所", "经营部", "工作室", "酒店", "集团", "协会", "政府", "局", "街道办", "村委会", "居委会",
    "派出所", "司法所", "法院", "检察院", "诊所", "物业",
)  # fmt: skip


@dataclass(frozen=True)
class Names:
    """Names in a field. `count`: how many people it speaks of, at least as many as are named."""

    names: tuple[str, ...]
    count: int
    appended: tuple[str, ...] = ()


def plain_name(text: str) -> str:
    """A name without any blank, the ideographic too; its brackets stay as written."""
    return _BLANKS.sub("", text)


def petitioners(text: str) -> Names:
    """XFRXM: blanks are padding here, groups are 甲、乙等7人 (habit 4)."""
    body = plain_name(text)
    count = 0
    if match := _AND_OTHERS.search(body):
        count, body = int(match[1] or 0), body[: match.start()]
    found = tuple(part for part in re.split(r"[、,，;；/]", body) if part)
    return Names(found, max(count, len(found)))


def opposed(text: str) -> Names:
    """BXFR: parted by any of 、,;/ or a blank, with a village committee appended (habit 9).

    The committee is the place where it happened, no opponent, unless it stands alone.
    """
    pieces = [piece for piece in re.split(r"[、,，;；/\s\u3000]+", text) if piece]
    # A blank inside a name of two characters leaves single characters; then blanks are padding.
    if any(len(piece) == 1 for piece in pieces):
        pieces = [part for piece in re.split(r"[、,，;；/]", text) if (part := plain_name(piece))]
    count = 0
    if pieces and (match := _AND_OTHERS.search(pieces[-1])):
        count = int(match[1] or 0)
        pieces[-1] = pieces[-1][: match.start()]
    pieces = [plain_name(piece) for piece in pieces if plain_name(piece)]
    appended = tuple(piece for piece in pieces if _APPENDED.search(piece))
    others = tuple(piece for piece in pieces if piece not in appended)
    if not others:
        others, appended = appended, ()
    return Names(others, max(count, len(others)), appended)


def is_anonymous(name: str) -> bool:
    """张某, 李某某, 王某1: a surname with 某; never to be merged on the name."""
    return bool(re.fullmatch(r".{1,2}某{1,2}\d?[甲乙丙丁]?", name))


def is_body(name: str) -> bool:
    """Whether a name looks like a body's and not a person's."""
    return len(name) >= 4 and "·" not in name and any(word in name for word in _BODY)


def has_lost_characters(name: str) -> bool:
    """Characters outside the basic plane arrive as a question mark (contract, "Limits")."""
    return "?" in name or "？" in name or "\ufffd" in name
