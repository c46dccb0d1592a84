"""HTML becomes the lines that a reader would see, whatever is thrown at it."""

from __future__ import annotations

import html as entities
import re
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bounceparse import limits
from bounceparse.wire import html as reader
from bounceparse.wire.html import html_to_text

BAD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\ud800-\udfff]")
WORDS = st.text(alphabet=st.characters(codec="utf-8", categories=["L", "N", "P", "Sm"]), min_size=1, max_size=12).filter(lambda t: not BAD.search(t))
PAGE = """<html><head><title>Mail</title><style>p { margin: 0 }</style></head>
<body><h2>Delivery
failed</h2><p>Hello<br>World &amp; friends</p><div>one</div><div>two</div>three
<table><tr><td>Status:</td><td>5.1.1</td></tr><tr><td>&nbsp;</td><td>gone</td></tr></table>
<script>alert("x")</script><!-- <br> nothing -->
<pre>550 5.1.1 no
such user</pre>end</body></html>"""


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        (PAGE, "Delivery failed\n\nHello\nWorld & friends\n\none\ntwo\nthree\nStatus:  5.1.1\ngone\n\n550 5.1.1 no\nsuch user\n\nend"),
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("<div>a<br></div><div><br></div><div>b</div>", "a\n\nb"),
        ("a<br>b<br/>c<BR clear=all>d", "a\nb\nc\nd"),
        ("a<br><br><br><br>b", "a\n\nb"),
        ("<ul><li>a<li>b</ul>c", "a\nb\n\nc"),
        ("<b>un<i>closed", "unclosed"),
        ("a&nbsp;&nbsp;b &lt;c&gt; &#228;&#xe4; &euro;", "a b <c> ää €"),
        ("&#xD800;&#0;&#27;[2J&#x202e;x", "\ufffd\ufffd[2Jx"),
        ("zero\u200bwidth\u00ad", "zerowidth"),
        ("<user@example.com>: unknown", "<user@example.com>: unknown"),  # a tag only to a parser
        ('<a href="mailto:a@example.com?subject=x">the owner</a>!', "the owner <a@example.com>!"),
        ('<a href="MAILTO:a@example.com">a@example.com</a>', "a@example.com"),
        ('<a href="mailto:">x</a><a>y</a>', "xy"),
        ("<frameset><frame></frameset>", ""),
        ("<body hidden><noscript>a</noscript><template>b</template>c", "c"),
    ],
)
def test_pages(page: str, text: str) -> None:
    assert html_to_text(page) == (text, True)


@given(st.lists(st.lists(WORDS, min_size=1, max_size=4).map(" ".join), min_size=1, max_size=5))
def test_escaped_lines_come_back(lines: list[str]) -> None:
    page = "<html><body>" + "".join(f"<div>{entities.escape(line)}</div>" for line in lines) + "</body></html>"
    assert html_to_text(page)[0].split("\n") == [" ".join(reader._INVISIBLE.sub("", line).split()) for line in lines]


@given(st.text(max_size=200) | st.text("<>/!-&;#x \n\"'=abipretd\t@.", max_size=120))
@example("\ud800<p>\udfff")
@example("<pre><pre>")
@example("</body></html>after")
def test_any_page_becomes_clean_text(page: str) -> None:
    text, _ = html_to_text(page)
    assert BAD.search(text) is None
    assert not text.startswith("\n") and not text.endswith("\n") and "\n\n\n" not in text
    assert BAD.search(reader._tidy(reader._strip(page))) is None


BOMBS = {
    "div": "<div>" * 13_000, "bold": "<b>" * 21_000, "attributes": "".join(f"<b a={n}>" for n in range(6_000)), "lists": "<ul><li>" * 8_000,
    "adoption": "<b><div>" * 8_000 + "</b>", "links": "<a><p>" * 10_000, "table": "<table><tr><td>" * 4_000, "angle": "<" * 65_000,
    "open": "<a" * 32_000, "entity": "&" * 65_000, "lines": "<pre>" + "\n" * 65_000, "comments": "<!--" * 16_000, "scripts": "<script>" * 8_000,
    "blanks": " " * 65_000, "long tag": "<" + "a" * 65_000, "svg": "<svg>" * 13_000,
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_read_without_recursion(name: str) -> None:
    limit = sys.getrecursionlimit()
    depth = len(__import__("inspect").stack())
    sys.setrecursionlimit(depth + 40)
    try:
        html_to_text(BOMBS[name])
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.parametrize("name", BOMBS)
def test_the_parser_is_not_given_bombs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given_to: list[int] = []
    read = reader._read

    def watched(html: str) -> str:
        given_to.append(html.count("<"))
        return read(html)

    monkeypatch.setattr(reader, "_read", watched)
    text, clean = html_to_text(BOMBS[name])
    assert all(tags <= reader._TAGS for tags in given_to)
    assert clean == bool(given_to)
    assert len(text) <= limits.TEXT


def test_a_page_is_clipped() -> None:
    assert len(html_to_text("<p>" + "a " * limits.TEXT)[0]) <= limits.TEXT


def test_without_the_parser_tags_are_stripped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "selectolax.lexbor", None)
    text, clean = html_to_text(PAGE + "&bogus; &#99999999; &#228; &QUOT;")
    assert not clean
    assert text.startswith("Delivery failed\n\nHello\nWorld & friends\n\none\ntwo\nthree\nStatus:  5.1.1\ngone")
    assert "alert" not in text and "nothing" not in text and 'ä "' in text
