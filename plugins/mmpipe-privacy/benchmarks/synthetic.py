"""Sentences with personal data at known places, made from a seed, and sentences with what only looks like it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

# Carriers of one value each, in several languages and habits. "{}" is where it goes.
_CARRIERS = {
    "email": ("Write to {} today.", "E-mail: {}", "<{}>", "请发邮件到{}谢谢", "Schreiben Sie an {}, bitte.", "({})"),
    "url": ("See {} for more.", "详情请见{}。", "It is at {}.", "({})", "Siehe {}!"),
    "card": ("Charge {} please.", "卡号{}，谢谢", "Karte: {}", "card no. {}, valid to 03/29", "It was {}."),
    "iban": ("Pay to {} by Friday.", "IBAN: {}", "Konto {}.", "sur {}, merci", "账号{}。"),
    "ip": ("Seen from {} twice.", "host {}:8080 up", "地址{}，端口80", "IP {}.", "({})"),
    "phone": ("Call {} now.", "Tel.: {}", "电话{}。", "Rufen Sie {} an.", "({})"),
}
_NEGATIVE = {
    "card": ("Charge {} please.", "参考号{}", "serial {}."),
    "iban": ("Pay to {} by Friday.", "part {}"),
    "ip": ("version {}", "release {} is out", "see section {}", "版本{}", "Upgrade from version 9.1.0.2 to {}."),
    "phone": ("order no. {}", "Invoice {}", "订单{}", "ref. {}"),
    "email": ("the handle {} is mine", "{}"),
    "date": ("on {}", "dated {}.", "于{}发货"),
}
_FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


def records(n: int, seed: int = 1) -> list[dict[str, Any]]:
    """`n` records {id, text, gold}, gold a list of {kind, start, end} in characters; two thirds of them hold values.

    Domains, addresses, cards and numbers are those reserved for examples, or drawn so that their checks hold.
    """
    draw = random.Random(seed)
    found = []
    for index in range(n):
        text, gold = "", []
        for _ in range(draw.randint(1, 3)):
            if draw.random() < 2 / 3:
                kind = draw.choice(sorted(_CARRIERS))
                before, after = draw.choice(_CARRIERS[kind]).split("{}")
                value = _VALUES[kind](draw)
                if "::" in value and after.startswith(":"):
                    before, after = f"{before}[", f"]{after}"
                gold.append({"kind": kind, "start": len(text + before), "end": len(text + before + value)})
            else:
                kind = draw.choice(sorted(_NEGATIVE))
                before, after = draw.choice(_NEGATIVE[kind]).split("{}")
                value = _LOOKALIKES[kind](draw)
            text += before + value + after + draw.choice((" ", "\n"))
        found.append({"id": f"s{index}", "text": text, "gold": gold})
    return found


def _digits(draw: random.Random, n: int) -> str:
    return "".join(draw.choices("0123456789", k=n))


def _email(draw: random.Random) -> str:
    name = draw.choice(("anna", "j.doe", "m_weber", "jörg", "li-wei", "o.b+tag", "x1", "ivan.ж"))
    host = draw.choice(("example.com", "mail.example.org", "example.org", "EXAMPLE.NET", "x-y.example.com"))
    return f"{name}@{host}"


def _url(draw: random.Random) -> str:
    path = draw.choice(("", "/", "/u/anna", "/a?x=1&y=2", "/q#part", "/a_(b)"))
    return draw.choice(("https://example.com", "http://www.example.org", "www.example.net", "ftp://192.0.2.7")) + path


def _luhn(body: str, shift: int = 0) -> str:
    """The digits with one more that makes Luhn's sum 0, or `shift` beside it."""
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return body + str((10 - total + shift) % 10)


def _card_digits(draw: random.Random, shift: int = 0) -> str:
    head, length = draw.choice((("4", 16), ("51", 16), ("2223", 16), ("6011", 16), ("37", 15), ("3530", 16)))
    return _luhn(head + _digits(draw, length - 1 - len(head)), shift)


def _grouped(draw: random.Random, digits: str) -> str:
    separator = draw.choice(("", " ", "-"))
    sizes = (4, 6, 5) if len(digits) == 15 else (4, 4, 4, 4)
    parts, place = [], 0
    for size in sizes:
        parts.append(digits[place : place + size])
        place += size
    said = separator.join(parts)
    return said.translate(_FULL_WIDTH) if draw.random() < 0.1 else said


def _card(draw: random.Random) -> str:
    return _grouped(draw, _card_digits(draw))


def _no_card(draw: random.Random) -> str:
    return _grouped(draw, _card_digits(draw, draw.randint(1, 9)))


def _iban(draw: random.Random, *, is_right: bool = True) -> str:
    country, bank = draw.choice(
        (("DE", _digits(draw, 18)), ("GB", "WEST" + _digits(draw, 14)), ("CH", _digits(draw, 17)))
    )
    number = "".join(str(int(character, 36)) for character in bank + country + "00")
    check = 98 - int(number) % 97
    check = check if is_right else (check + draw.randint(1, 90)) % 97
    said = f"{country}{check:02}{bank}"
    return " ".join(said[i : i + 4] for i in range(0, len(said), 4)) if draw.random() < 0.5 else said


def _ip(draw: random.Random) -> str:
    if draw.random() < 0.3:
        return f"2001:db8::{draw.randint(0, 65535):x}:{draw.randint(0, 65535):x}"
    return f"{draw.choice(('192.0.2', '198.51.100', '203.0.113'))}.{draw.randint(1, 254)}"


def _phone(draw: random.Random) -> str:
    last = f"{draw.randint(0, 999):03}"
    return draw.choice(
        (
            f"+44 20 7946 0{last}",
            f"020 7946 0{last}",
            f"+442079460{last}",
            f"07700 900{last}",
            f"(212) 555-01{last[:2]}",
            f"+1 212 555 01{last[:2]}",
            f"+49 30 23125 {last}",
            f"(030) 23125 {last}",
            f"030/23125{last}",
        )
    )


def _version(draw: random.Random) -> str:
    return ".".join(str(draw.randint(0, 40)) for _ in range(4))


def _order(draw: random.Random) -> str:
    return draw.choice(
        (_digits(draw, 8), f"2024{_digits(draw, 6)}", f"020 7946 0{_digits(draw, 3)}", _digits(draw, 10))
    )


def _handle(draw: random.Random) -> str:
    return draw.choice(("@anna", "anna@localhost", "a @ b", "50 @ 3.20", "user@", "@@"))


def _date(draw: random.Random) -> str:
    year, month, day = draw.randint(1990, 2029), draw.randint(1, 12), draw.randint(1, 28)
    return draw.choice(
        (
            f"{year}-{month:02}-{day:02}",
            f"{day:02}.{month:02}.{year}",
            f"{year}{month:02}{day:02}",
            f"{year}-{month:02}-{day:02}T12:30:{day:02}Z",
            f"{day:02}/{month:02}/{year} 10:15",
        )
    )


_VALUES: dict[str, Callable[[random.Random], str]] = {
    "email": _email,
    "url": _url,
    "card": _card,
    "iban": _iban,
    "ip": _ip,
    "phone": _phone,
}
_LOOKALIKES: dict[str, Callable[[random.Random], str]] = {
    "card": _no_card,
    "iban": lambda draw: _iban(draw, is_right=False),
    "ip": _version,
    "phone": _order,
    "email": _handle,
    "date": _date,
}
