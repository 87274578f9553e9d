"""WordPress's ways with text: cleaning, escaping, paragraphs, slugs and collation."""

import html
import re
import unicodedata
from urllib.parse import quote

from adapters.sandbox import Json

_TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)(?:\s[^<>]*)?/?>")
_ENTITY = re.compile(r"&(?!(?:[a-zA-Z][a-zA-Z0-9]{1,30}|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});)")
_HANDLER = re.compile(
    r"\s(?:on[a-z]+|formaction)\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>]+)", re.IGNORECASE
)
_FORBIDDEN = frozenset(
    [
        "script",
        "style",
        "iframe",
        "object",
        "embed",
        "applet",
        "form",
        "input",
        "select",
        "option",
        "link",
        "meta",
        "base",
        "frame",
        "frameset",
        "svg",
        "math",
        "title",
        "head",
        "html",
        "body",
        "noscript",
    ]
)
_BLOCKS = (
    "(?:table|thead|tfoot|caption|col|colgroup|tbody|tr|td|th|div|dl|dd|dt|ul|ol|li|pre|form|map|"
    "area|blockquote|address|style|p|h[1-6]|hr|fieldset|legend|section|article|aside|hgroup|"
    "header|footer|nav|figure|figcaption|details|menu|summary)"
)


def php_text(value: Json) -> str:
    """Turn a scalar into text the way PHP does."""
    match value:
        case None | False:
            return ""
        case True:
            return "1"
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case _:
            return str(value)


def clean(text: str) -> str:
    """Strip tags, line breaks and surplus white space, as for a SKU or an attribute."""
    bare = re.sub(
        r"<(?:script|style)[^>]*>.*?</(?:script|style)>", "", text, flags=re.IGNORECASE | re.DOTALL
    )
    bare = _TAG.sub("", bare) if "<" in bare else bare
    return re.sub(r"[\r\n\t ]+", " ", bare).strip()


def filtered(text: str) -> str:
    """Drop forbidden tags but keep their text, and escape what is no markup."""
    kept: list[str] = []
    position = 0
    for tag in _TAG.finditer(text):
        kept.append(_escaped(text[position : tag.start()]))
        if tag.group(1).lower() not in _FORBIDDEN:
            kept.append(_HANDLER.sub("", tag.group(0)))
        position = tag.end()
    kept.append(_escaped(text[position:]))
    return "".join(kept)


def _escaped(text: str) -> str:
    return _ENTITY.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")


def paragraphs(text: str) -> str:
    """Wrap text in paragraphs the way a page shows it."""
    if not text.strip():
        return ""
    page = text.replace("\r\n", "\n").replace("\r", "\n") + "\n"
    page = re.sub(r"<br\s*/?>\s*<br\s*/?>", "\n\n", page)
    page = re.sub(rf"(<{_BLOCKS}[\s/>])", r"\n\n\1", page)
    page = re.sub(rf"(</{_BLOCKS}>)", r"\1\n\n", page)
    parts = [part for part in re.split(r"\n\s*\n", page) if part.strip()]
    page = "".join("<p>" + part.strip("\n") + "</p>\n" for part in parts)
    page = re.sub(r"<p>\s*</p>", "", page)
    page = re.sub(rf"<p>\s*(</?{_BLOCKS}[^>]*>)\s*</p>", r"\1", page)
    page = re.sub(r"<p>(<li.+?)</p>", r"\1", page)
    page = re.sub(rf"<p>\s*(</?{_BLOCKS}[^>]*>)", r"\1", page)
    page = re.sub(rf"(</?{_BLOCKS}[^>]*>)\s*</p>", r"\1", page)
    page = re.sub(r"<br\s*/?>", "<br />", page)
    page = re.sub(r"(?<!<br />)\s*\n(?!$)", "<br />\n", page)
    page = re.sub(rf"(</?{_BLOCKS}[^>]*>)\s*<br />", r"\1", page)
    page = re.sub(r"<br />(\s*</?(?:p|li|div|dl|dd|dt|th|pre|td|ul|ol)[^>]*>)", r"\1", page)
    return page if page.endswith("\n") else page + "\n"


def plain(text: str) -> str:
    """Drop accents, the way a slug and a comparison without accents do."""
    spread = unicodedata.normalize("NFKD", text.replace("ß", "s"))
    return "".join(mark for mark in spread if not unicodedata.combining(mark))


def collated(text: str) -> str:
    """Return what the database compares: neither case nor accents nor trailing spaces count."""
    return plain(text.strip()).casefold()


def slug(text: str) -> str:
    """Turn a title into the part of an address."""
    low = plain(html.unescape(_TAG.sub("", text))).lower()
    low = re.sub(r"[\s/.\u2013\u2014-]+", "-", low)
    kept = "".join(
        c if (c.isalnum() and c.isascii()) or c in "-_" or ord(c) > 127 else "" for c in low
    )
    return quote(re.sub(r"-+", "-", kept).strip("-"), safe="-").lower()


def decimal(value: Json) -> Json:
    """Turn a sent price or weight into what is stored: only digits, a last dot and signs."""
    if isinstance(value, list | dict):
        return value
    return re.sub(r"\.(?![^.]+$)|[^0-9.\-]", "", php_text(value))
