"""Changes to trees and bytes, by chance."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        -1,
        0,
        1.5,
        2**40,
        -(2**63),
        10**30,
        1e308,
        "",
        " ",
        "x",
        "..",
        "../..",
        "/",
        "/etc",
        "~",
        "\0",
    ),
    *("file:///etc/passwd", r"\\h\s", "${nlp.lang}", "${", "$${x}", "${a.b}", "é\u2028#", "\ud800", "auto", "int8"),
    *([], [[]], ["a", 1], {}, {"a": 1}, {"": 1}, {"@misc": "x"}, {"*": {"a": 1}}, "\n[nlp]\n", "[", '"', "a" * 5000),
)
FUNCTIONS = (
    "srsly.read_json.v1",
    "spacy.Corpus.v1",
    "spacy.copy_from_base_model.v1",
    "spacy.KBFromFile.v1",
    "chain.v1",
)
FUNCTIONS += (
    "spacy.Tokenizer.v1",
    "spacy.TextCatBOW.v3",
    "mmpipe.SequenceClassifier.v1",
    "mmpipe.Seq2Seq.v1",
    "Adam.v1",
)
KINDS = (
    "misc",
    "readers",
    "callbacks",
    "architectures",
    "layers",
    "tokenizers",
    "loggers",
    "cli",
    "models",
    "get",
    "_x",
)
KEYS = (
    "name",
    "path",
    "source",
    "factory",
    "revision",
    "offline",
    "trust_remote_code",
    "roots",
    "allow_urls",
    "model",
    "*",
)
FACTORIES = ("sentencizer", "ner", "entity_ruler", "transformer", "mmpipe_qa", "mmpipe_caption", "mmpipe_summariser")
TOKENS = (
    b"[",
    b"]",
    b"{",
    b"}",
    b'"',
    b"${",
    b"&a ",
    b"*a",
    b"!!python/name:os.system",
    b"\0",
    b"\xff",
    b"=",
    b"\n",
    b"<<: ",
)
SUFFIXES = (".cfg", ".toml", ".yaml", ".json")


def mutate_tree(tree: dict[str, Any], chance: random.Random) -> None:
    """Change one place of a tree: another value, another key, a function, or nothing there."""
    places = [(block, key) for block in blocks(tree) for key in block]
    if not places:
        return
    block, key = chance.choice(places)
    kind = chance.randint(0, 6)
    if kind == 0:
        del block[key]
    elif kind == 1:
        block[key + chance.choice(("x", ".", "é", " "))] = block.pop(key)
    elif kind == 2:
        block[chance.choice(KEYS)] = copy.deepcopy(chance.choice(VALUES))
    elif kind == 3:
        arguments = {chance.choice(KEYS): copy.deepcopy(chance.choice(VALUES)) for _ in range(chance.randint(0, 2))}
        block[key] = {f"@{chance.choice(KINDS)}": chance.choice(FUNCTIONS), **arguments}
    elif kind == 4:
        block[key] = copy.deepcopy(chance.choice([other[name] for other, name in places]))
    else:
        block[key] = copy.deepcopy(chance.choice(VALUES))


def blocks(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A tree and all tables below it."""
    yield tree
    for value in tree.values():
        if isinstance(value, dict):
            yield from blocks(value)


def spelt(tree: dict[str, Any], suffix: str, chance: random.Random) -> bytes:
    """The text of a tree, at times with bytes of it changed; JSON where a spelling cannot say it."""
    import yaml
    from confection import Config

    try:
        if suffix == ".cfg":
            text = Config(tree).to_str(interpolate=False)
        elif suffix == ".yaml":
            text = yaml.safe_dump(tree)
        elif suffix == ".toml":
            text = "\n".join(f"{json.dumps(key)} = {inline(value)}" for key, value in tree.items())
        else:
            text = json.dumps(tree)
    except Exception:
        text = json.dumps(tree)
    data = text.encode("utf-8", "surrogatepass")
    return mutate_bytes(data, chance) if chance.random() < 0.3 else data


def inline(value: Any) -> str:
    """A value as TOML writes it in a line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return "''" if value is None else json.dumps(value)


def mutate_bytes(data: bytes, chance: random.Random) -> bytes:
    """A few bytes changed, cut, doubled, or replaced by what parsers trip over."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        start = chance.randint(0, len(changed))
        end = min(len(changed), start + chance.choice((0, 1, 2, 8, 64)))
        kind = chance.randint(0, 4)
        if kind == 0:
            changed[start:end] = bytes(chance.randrange(256) for _ in range(chance.randint(0, 8)))
        elif kind == 1:
            changed[start:end] = chance.choice(TOKENS)
        elif kind == 2:
            changed[start:start] = changed[start:end] * chance.choice((1, 2, 50))
        elif kind == 3:
            del changed[start:end]
        elif chance.random() < 0.2:
            del changed[start:]
    return bytes(changed)
