"""Renders pages: one template environment, the reader's language, theme-neutral, no outside request."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, select_autoescape
from markupsafe import Markup, escape

from console.texts import in_language
from foundation.actors import Actor
from foundation.staff import ROLES
from schemas.money import Fen

BEIJING = ZoneInfo("Asia/Shanghai")
FOLDER = Path(__file__).resolve().parent
_PAGES = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=select_autoescape(),
    trim_blocks=True,
    lstrip_blocks=True,
)


def yuan(fen: int | None) -> str:
    """``1234567`` fen as ``12,345.67``; empty for None."""
    if fen is None:
        return ""
    text = Fen(abs(fen)).yuan_text()
    whole, _, cents = text.partition(".")
    return f"{'-' if fen < 0 else ''}{int(whole):,}.{cents}"


def beijing(at: datetime | str | None) -> str:
    """A time in Beijing, to the minute."""
    if at is None or at == "":
        return ""
    try:
        when = datetime.fromisoformat(at) if isinstance(at, str) else at
    except ValueError:
        return str(at)
    return when.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M") if when.tzinfo else str(at)


def masked(value: str | None) -> str:
    """An identity number as it may be shown by default: first six and last four."""
    if not value or len(value) < 12:
        return value or ""
    return f"{value[:6]}{'*' * (len(value) - 10)}{value[-4:]}"


def lamp(colour: str | None) -> Markup:
    """A lamp as a coloured word: colour is never the only sign."""
    words = {"GREEN": "绿", "YELLOW": "黄", "RED": "红", "GREY": "停"}
    if not colour:
        return Markup("")
    return Markup('<span class="lamp {}">{}</span>').format(colour.lower(), words.get(colour, escape(colour)))


_PAGES.filters.update(yuan=yuan, beijing=beijing, masked=masked, lamp=lamp)


def page(request: Request, template: str, **values: Any) -> HTMLResponse:
    """One page for the person of this request."""
    language = "en" if request.cookies.get("language") == "en" else "zh"
    actor: Actor | None = getattr(request.state, "actor", None)
    shown = _PAGES.get_template(template).render(
        t=lambda text: in_language(text, language),
        language=language,
        actor=actor,
        roles=ROLES,
        path=request.url.path,
        form_token=getattr(request.state, "form_token", ""),
        notice=request.query_params.get("notice", "")[:200],
        **values,
    )
    return HTMLResponse(shown, status_code=values.get("status", 200))
