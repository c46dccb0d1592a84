"""Return paths: what was signed is read, what was altered is not, and the forms of the world are understood."""

from __future__ import annotations

import pickle
import random
import string
from datetime import date, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bounceparse.tables import TableError
from bounceparse.verp import LIFE, LONGEST, TEMPLATES, Key, Verp, read_batv, read_keys, read_srs, unwrap

DAY = date(2026, 3, 1)
ONE, TWO = Key("1", b"a" * 32), Key("2", b"b" * 32)
SIGNED = "{signed}@bounces.example.org"
LETTERS = string.ascii_letters + string.digits + ".-_+=@!#%&'*/?^`{|}~ \téK"


def signing(*keys: Key, template: str = SIGNED, lists: tuple[str, ...] = ("",)) -> Verp:
    return Verp(template, keys=keys or (ONE,), lists=lists)


addresses = st.builds(
    lambda local, domain: f"{local}@{domain}.example",
    st.text(string.ascii_letters + string.digits + ".+-_=", min_size=1, max_size=40),
    st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=20),
)
days = st.dates(date(2020, 1, 1), date(2109, 1, 1))
ids = st.text(string.ascii_lowercase + string.digits + "-_", min_size=1, max_size=16)


@given(addresses, days, st.sampled_from(sorted(LIFE)))
def test_what_is_signed_is_read(recipient: str, day: date, purpose: str) -> None:
    verp = signing()
    path = verp.make(recipient, day, purpose=purpose)  # type: ignore[arg-type]
    local = path.partition("@")[0]
    assert len(local) <= LONGEST and local == local.lower() and not set("+=") & set(local)
    assert recipient.partition("@")[0].lower() not in local or len(recipient.partition("@")[0]) < 4, "no address leaks"
    for spelling in (path, path.upper(), path.title()):
        found = verp.read(spelling, today=day)
        assert found is not None and (found.kind, found.purpose, found.made) == ("signed", purpose, day)
        assert found.until == day + timedelta(days=LIFE[purpose])
        assert verp.owner(found, ["x@y.example", recipient.upper()]) == recipient.upper()
        assert verp.owner(found, ["x@y.example"]) == ""


@given(ids, days)
def test_own_ids(id: str, day: date) -> None:
    verp = signing()
    found = verp.read(f"{verp.sign(id, day)}@bounces.example.org")
    assert found is not None and found.id == id


@pytest.mark.parametrize("purpose", sorted(LIFE))
def test_a_path_has_its_time(purpose: str) -> None:
    verp = signing()
    path = verp.make("a@b.example", DAY, purpose=purpose)  # type: ignore[arg-type]
    for days, good in ((-2, False), (-1, True), (0, True), (LIFE[purpose], True), (LIFE[purpose] + 1, False), (32_768, False)):
        assert (verp.read(path, today=DAY + timedelta(days=days)) is not None) is good, days


def test_purposes_are_not_interchangeable() -> None:
    verp = signing()
    for purpose, other in (("post", "probe"), ("probe", "post")):
        path = verp.make("a@b.example", DAY, purpose=purpose)  # type: ignore[arg-type]
        assert verp.read(path, purpose=purpose) is not None and verp.read(path, purpose=other) is None


def test_lists_are_not_interchangeable() -> None:
    news, offers = signing(lists=("news",)), signing(lists=("offers", "News"))
    path = news.make("a@b.example", DAY, list="news")
    found = offers.read(path)
    assert found is not None and found.list == "news"
    assert signing(lists=("offers",)).read(path) is None
    named = signing(template="{list}-bounces+{signed}@lists.example.org")
    path = named.make("a@b.example", DAY, list="news")
    assert path.startswith("news-bounces+b1.")
    assert named.read(path) is not None and named.read(path.replace("news", "offers")) is None


def test_two_keys_live() -> None:
    old, new = signing(ONE), signing(TWO, ONE)
    path = old.make("a@b.example", DAY)
    found = new.read(path)
    assert found is not None and found.key == "1" and new.owner(found, ["a@b.example"])
    assert new.make("a@b.example", DAY).startswith("b2.")
    assert signing(TWO).read(path) is None and signing(TWO).owner(found, ["a@b.example"]) == "", "an unknown key"
    assert signing(Key("1", b"c" * 32)).read(path) is None, "another secret"


def flips(path: str, chance: random.Random) -> list[str]:
    """The path with each character replaced by another one, and with one taken away and one put in."""
    altered = []
    for at, letter in enumerate(path):
        other = chance.choice([c for c in LETTERS if c.lower() != letter.lower()])
        altered.append(path[:at] + other + path[at + 1 :])
    at = chance.randrange(len(path))
    return [*altered, path[:at] + path[at + 1 :], path[:at] + chance.choice(LETTERS) + path[at:]]


def count_accepted(paths: int, seed: int) -> tuple[int, int]:
    """Alter each character of so many signed paths; return how many were tried and how many accepted."""
    chance = random.Random(seed)
    verp = signing(ONE, TWO)
    tried = accepted = 0
    for number in range(paths):
        path = verp.make(f"user{number}@example{number % 97}.example", DAY + timedelta(days=number % 3_000))
        assert verp.read(path) is not None
        for other in flips(path, chance):
            tried += 1
            accepted += verp.read(other) is not None
    return tried, accepted


def test_no_altered_path_is_accepted() -> None:
    tried, accepted = count_accepted(300, 1)
    assert tried > 300 * 50 and accepted == 0


@settings(max_examples=300)
@example("\u212a" * 40)
@given(st.text(max_size=80) | st.from_regex(r"b[12]\.[a-z2-7]{3}\.[a-z0-9]{1,16}\.[a-z2-7]{16}@bounces\.example\.org", fullmatch=True))
def test_no_text_is_a_signed_path_by_chance(text: str) -> None:
    verp = Verp(SIGNED, *TEMPLATES, keys=(ONE, TWO), batv=(ONE,))
    found = verp.read(text)
    assert found is None or found.kind == "plain"
    assert verp.read_tag(text) is None
    unwrap(text)
    assert read_srs(text) is None or "@" in text


def test_letters_that_only_look_like_ours_are_none() -> None:
    verp = signing(Key("k", b"a" * 32))
    path = verp.make("a@b.example", DAY)
    assert verp.read(path.replace("k", "\u212a", 1)) is None, "lower() makes a k of the Kelvin sign"


# Plain templates.


@given(addresses)
def test_a_template_is_read_back(recipient: str) -> None:
    verp = Verp("bounces+{local}={domain}@example.org")
    try:
        path = verp.make(recipient, DAY)
    except ValueError as error:
        assert "too long" in str(error)
        return
    found = verp.read(path)
    assert found is not None and (found.kind, found.recipient) == ("plain", recipient)


@pytest.mark.parametrize(
    ("template", "path", "recipient", "list"),
    [
        ("mailman", "my-list-bounces+jo.doe+x=y=example.com@lists.example.org", "jo.doe+x=y@example.com", "my-list"),
        ("sympa", "bounce+jo==a==example.com==my-list@lists.example.org", "jo@example.com", "my-list"),
        ("sympa", "bounce+jo==a==example.com==my-list==w@lists.example.org", "jo@example.com", "my-list"),
        ("sympa", "bounce+jo==a==example.com==my-list==17@lists.example.org", "jo@example.com", "my-list"),  # with tracking
        ("ezmlm", "my-list-return-17-jo-1-2=EXAMPLE.com@lists.example.org", "jo-1-2@example.com", "my-list"),
        ("mlmmj", "my-list+bounces-17-jo=example.com@lists.example.org", "jo@example.com", "my-list"),
        ("mlmmj", "bounces+my-list-bounces-17-jo=example.com@example.org", "jo@example.com", "my-list"),  # staticbounceaddr
        ("postfix", "owner-list+jo=example.com@example.org", "jo@example.com", "owner-list"),
        ("listserv", "owner-list*jo**example.com@example.org", "jo@example.com", "list"),
    ],
)
def test_list_managers(template: str, path: str, recipient: str, list: str) -> None:
    found = Verp(template).read(path)
    assert found is not None and (found.recipient, found.list) == (recipient, list)
    assert Verp(template).read("someone@example.org") is None


@pytest.mark.parametrize(
    ("templates", "words"),
    [
        ((), "no template"),
        (("bounces@example.org",), "says nothing about the recipient"),
        (("bounces+{local}@example.org",), "says nothing about the recipient"),
        (("bounces+{user}={domain}@example.org",), "use some of {signed}"),
        (("{local}{domain}@example.org",), "touch"),
        (("{local}-{domain}-{local}@example.org",), "twice"),
        (("bounces+{local}={domain}",), "is no address"),
        ((SIGNED,), "needs a key"),
    ],
)
def test_a_wrong_template_says_how_to_mend_it(templates: tuple[str, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("{", r"\{")):
        Verp(*templates)


def test_what_cannot_be_made() -> None:
    plain = Verp("bounces+{local}={domain}@example.org")
    for verp, recipient, changes, words in (
        (plain, "nobody", {}, "no address"),
        (plain, f"{'x' * 60}@example.com", {}, "too long"),
        (plain, "a b@example.com", {}, "no address"),
        (Verp("mailman"), "a@b.example", {"list": "l"}, "place of {host}"),
        (signing(), "a@b.example", {"id": "A B"}, "the id"),
        (signing(), "a@b.example", {"id": "x" * 17}, "the id"),
        (signing(), "a@b.example", {"purpose": "spam"}, "neither post nor probe"),
        (Verp(batv=(ONE,)), "a@b.example", {}, "no template"),
        (signing(template="{list}-b+{signed}@example.org"), "a@b.example", {"list": "l l"}, "could not be read again"),
    ):
        with pytest.raises(ValueError, match=words):
            verp.make(recipient, DAY, **changes)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs a key"):
        plain.sign("77", DAY)
    with pytest.raises(ValueError, match="before"):
        signing().make("a@b.example", date(1999, 1, 1))


@pytest.mark.parametrize("template", TEMPLATES)
def test_hostile_addresses_are_read_in_no_time(template: str) -> None:
    verp = Verp(template, SIGNED, keys=(ONE,))
    for text in ("-return-1-" * 32, "a==" * 106, "+" * 318 + "@", "a=a@" * 80, "a**" * 100 + "@a", "a" * 10_000_000):
        verp.read(text)


# BATV and SRS.


def test_batv() -> None:
    verp = Verp(batv=(ONE,))
    tagged = verp.tag("me@example.org", DAY)
    assert tagged.startswith("prvs=1") and tagged.endswith("=me@example.org") and len(tagged) == len("prvs=1dddssssss=me@example.org")
    for days, good in ((0, True), (7, True), (8, False), (-1, False)):
        assert (verp.read_tag(tagged, today=DAY + timedelta(days=days)) is not None) is good, days
    assert verp.read_tag(tagged.replace("me@", "you@")) is None
    assert Verp(batv=(Key("1", b"z" * 32),)).read_tag(tagged) is None
    assert verp.read_tag("me@example.org") is None
    with pytest.raises(ValueError, match="digit"):
        Verp(batv=(Key("x", b"a" * 32),)).tag("me@example.org", DAY)


@pytest.mark.parametrize(
    ("wrapped", "address"),
    [
        ("prvs=3123abcdef=me@example.org", "me@example.org"),
        ("btv1==0123456789==me@example.org", "me@example.org"),
        ("SRS0=Hx5r=NO=example.org=me@forward.example", "me@example.org"),
        ("srs0+Hx5r=NO=Example.org=me=x@forward.example", "me=x@example.org"),
        ("SRS1=Xyz1=forward.example==Hx5r=NO=example.org=me@second.example", "me@example.org"),
        ("SRS1-Xyz1=forward.example=-Hx5r=NO=example.org=me@second.example", "me@example.org"),
        ("SRS0=Hx5r=NO=example.org=prvs=3123abcdef=me@forward.example", "me@example.org"),
        ("me@example.org", "me@example.org"),
        ("prvs=me@example.org", "prvs=me@example.org"),
        ("prvs=1123abcdef=" * 4 + "me@example.org", "prvs=1123abcdef=me@example.org"),
    ],
)
def test_wrappings_come_off(wrapped: str, address: str) -> None:
    assert unwrap(wrapped) == address
    assert read_batv("me@example.org") is None


# Keys.


def test_keys_are_read_and_never_shown() -> None:
    keys = read_keys("# the keys\n\n2 " + "n" * 32 + "\n1 " + "o" * 32 + "\n")
    assert [key.id for key in keys] == ["2", "1"]
    assert read_keys("s" * 24)[0].id == "1"
    assert "nnn" not in repr(keys) and "ooo" not in str(keys[1])
    assert pickle.loads(pickle.dumps(Verp(SIGNED, keys=keys))).keys == keys


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "no key"),
        ("# none\n", 1, "no key"),
        ("1 tooshort", 1, "less than 24"),
        ("\nlong " + "s" * 24, 2, "not one of 0-9"),
        ("1 " + "s" * 24 + " more", 1, "more than a name and a secret"),
        ("1 " + "s" * 24 + "\n1 " + "t" * 24, 2, "a key 1 already"),
    ],
)
def test_a_wrong_key_file_says_where_and_not_what(text: str, line: int, words: str) -> None:
    with pytest.raises(TableError) as caught:
        read_keys(text, "secrets.txt")
    assert (caught.value.file, caught.value.line) == ("secrets.txt", line)
    assert words in caught.value.what and "sss" not in str(caught.value) and "tooshort" not in str(caught.value)


def test_two_keys_of_one_name() -> None:
    with pytest.raises(ValueError, match="same name"):
        Verp(SIGNED, keys=(ONE, Key("1", b"c" * 32)))
