"""What a verb answers: a page of sentences, code and tables, as plain aligned text or as HTML."""

from __future__ import annotations

import html
import re
import shutil
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Code", "Column", "Page", "Points", "Table", "Text", "cut", "publish"]

_NARROWEST = 12  # columns that a bent column keeps
_CLASS = "lean-magic tex2jax_ignore mathjax_ignore"  # "$3 … $4" is money, not a formula
_PAGE = (
    "color: var(--jp-ui-font-color1, inherit); font-family: var(--jp-ui-font-family, sans-serif); "
    "font-size: var(--jp-ui-font-size1, 13px); line-height: 1.5"
)
_LINE = "1px solid var(--jp-border-color2, rgba(128, 128, 128, 0.35))"
_TABLE = "border-collapse: collapse; margin: 4px 0; font-size: inherit"
_HEAD = f"font-weight: 600; color: var(--jp-ui-font-color2, inherit); border-bottom: {_LINE}"
_CELL = "padding: 2px 16px 2px 0; vertical-align: top; background: none"
_FONT = "font-family: var(--jp-code-font-family, monospace)"
_CODE = f"{_FONT}; margin: 4px 0; padding: 4px 8px; overflow-x: auto; white-space: pre; border-left: {_LINE}"


class Block(Protocol):
    """One piece of a page."""

    def plain(self, width: int | None) -> str:
        """Return it as text; None is as wide as it takes."""

    def html(self) -> str:
        """Return it as HTML."""


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence, or a title; what stands between backticks is code."""

    text: str
    title: bool = False

    def plain(self, width: int | None) -> str:
        """Return it as it is: terminals wrap it."""
        del width
        return f"\n{self.text}" if self.title else self.text

    def html(self) -> str:
        """Return it as a paragraph."""
        style = "margin: 8px 0 2px; font-weight: 600" if self.title else "margin: 2px 0"
        return f'<div style="{style}">{_marked(self.text)}</div>'


@dataclass(frozen=True, slots=True)
class Points:
    """Sentences in a list."""

    items: Sequence[str]

    def plain(self, width: int | None) -> str:
        """Return a line an item."""
        del width
        return "\n".join(f"  · {item}" for item in self.items)

    def html(self) -> str:
        """Return it as a list."""
        return f'<ul style="margin: 2px 0">{"".join(f"<li>{_marked(item)}</li>" for item in self.items)}</ul>'


@dataclass(frozen=True, slots=True)
class Code:
    """Lines of code, as they are."""

    text: str

    def plain(self, width: int | None) -> str:
        """Return the lines with a rule at their left."""
        del width
        return "\n".join(f"  │ {line}".rstrip() for line in self.text.rstrip().splitlines())

    def html(self) -> str:
        """Return it as a block of code."""
        return f'<pre style="{_CODE}">{html.escape(self.text.rstrip())}</pre>'


@dataclass(frozen=True, slots=True)
class Column:
    """The name of a column, "" in a table without a head; whether it holds numbers, or code."""

    name: str = ""
    number: bool = False
    code: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text; the column numbered `bend` is shortened where the screen is narrow."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    bend: int | None = None

    def plain(self, width: int | None) -> str:
        """Return aligned lines."""
        heads = [[column.name for column in self.columns]] if self._has_head() else []
        rows = [[" ".join(cell.split()) for cell in row] for row in (*heads, *self.rows)]
        widths = [max(map(_columns, cells)) for cells in zip(*rows, strict=True)]
        if width is not None and self.bend is not None:
            excess = sum(widths) + 2 * (len(widths) - 1) - width
            if excess > 0:
                widths[self.bend] = min(widths[self.bend], max(widths[self.bend] - excess, _NARROWEST))
        return "\n".join(self._line(row, widths) for row in rows)

    def _line(self, row: Sequence[str], widths: Sequence[int]) -> str:
        columns = zip(self.columns, row, widths, strict=True)
        cells = (_pad(cut(cell, width), width, column.number) for column, cell, width in columns)
        return "  ".join(cells).rstrip()

    def html(self) -> str:
        """Return it as a table."""
        heads = [_tag("th", column, column.name) for column in self.columns] if self._has_head() else []
        head = f'<thead><tr style="background: none">{"".join(heads)}</tr></thead>' if heads else ""
        body = "".join(self._row(row) for row in self.rows)
        return f'<table style="{_TABLE}">{head}<tbody>{body}</tbody></table>'

    def _row(self, row: Sequence[str]) -> str:
        cells = (_tag("td", column, cell) for column, cell in zip(self.columns, row, strict=True))
        return f'<tr style="background: none">{"".join(cells)}</tr>'

    def _has_head(self) -> bool:
        return any(column.name for column in self.columns)


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to one request; `ok` is False where a command should end with a status of 1."""

    blocks: Sequence[Block]
    ok: bool = True

    def plain(self, width: int | None = None) -> str:
        """Return the page as text for a screen so many columns wide; None is as wide as it takes."""
        return "\n".join(block.plain(width) for block in self.blocks)

    def html(self) -> str:
        """Return the page as HTML that fits light and dark themes."""
        return f'<div class="{_CLASS}" style="{_PAGE}">{"".join(block.html() for block in self.blocks)}</div>'


def publish(shell: Any, page: Page, live: Mapping[str, Any] | None = None) -> None:
    """Show a page: rich in a notebook, plain in a terminal; `live` is what a front end shows instead, if it can."""
    data: dict[str, Any] = {"text/plain": page.plain(shutil.get_terminal_size().columns)}
    if hasattr(shell, "kernel"):
        data |= {"text/html": page.html(), **(live or {})}
    shell.display_pub.publish(data=data, metadata={})


def cut(text: str, width: int) -> str:
    """Shorten a text to so many columns of a terminal."""
    if _columns(text) <= width:
        return text
    while text and _columns(text) > width - 1:
        text = text[:-1]
    return f"{text}…"


def _pad(text: str, width: int, number: bool) -> str:
    space = " " * (width - _columns(text))
    return space + text if number else text + space


def _columns(text: str) -> int:
    """Count the columns a terminal takes: two for a wide character, none for one that combines."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def _tag(tag: str, column: Column, text: str) -> str:
    style = f"{_CELL}; text-align: {'right' if column.number else 'left'}"
    if column.number:
        style += "; white-space: nowrap; font-variant-numeric: tabular-nums"
    if tag == "th":
        style += f"; {_HEAD}"
    elif column.code:
        style += f"; {_FONT}"
    return f'<{tag} style="{style}">{html.escape(text)}</{tag}>'


def _marked(text: str) -> str:
    return re.sub(r"`([^`\n]+)`", rf'<code style="{_FONT}">\1</code>', html.escape(text))
