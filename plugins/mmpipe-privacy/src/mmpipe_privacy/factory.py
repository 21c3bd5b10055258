"""The spaCy factory `mmpipe_privacy`. spaCy imports this module whenever it starts, so it stays light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spacy.language import Language

if TYPE_CHECKING:
    from mmpipe_privacy.component import Privacy

DEFAULTS: dict[str, Any] = {
    "kinds": ["email", "phone", "card", "iban", "ip", "url"],
    "phone_regions": [],
    "patterns": {},
    "pattern_seconds": 1.0,
    "allow": [],
    "policy": "mask",
    "policies": {},
    "key_file": None,
    "key_env": "MMPIPE_PRIVACY_KEY",
    "field": "privacy",
    "masked_field": "masked",
    "spans_key": "privacy",
    "keep_values": False,
    "private": False,
    "fields": [],
    "other_keys": "mask",
}


@Language.factory("mmpipe_privacy", assigns=["doc._.privacy", "doc._.masked", "doc.spans"], default_config=DEFAULTS)
def make_privacy(
    nlp: Language,
    name: str,
    kinds: list[str],
    phone_regions: list[str],
    patterns: dict[str, str],
    pattern_seconds: float,
    allow: list[str],
    policy: str,
    policies: dict[str, str],
    key_file: str | None,
    key_env: str | None,
    field: str,
    masked_field: str,
    spans_key: str,
    keep_values: bool,
    private: bool,
    fields: list[str],
    other_keys: str,
) -> Privacy:
    """A Privacy component; see there for the settings. Raises ConfigError where they contradict one another."""
    from mmpipe import ConfigError
    from mmpipe_privacy.component import Privacy
    from mmpipe_privacy.finder import NAME_KINDS

    names = [kind for kind in kinds if kind in NAME_KINDS]
    if names and not any("doc.ents" in nlp.get_pipe_meta(other).assigns for other in nlp.pipe_names):
        raise ConfigError(
            f"{', '.join(names)}: names are read from doc.ents, and no component before this one writes them",
            where=f"components.{name}.kinds",
            next_step="put an entity recogniser before it (`ner` of a spaCy pipeline, `entity_ruler`), or leave "
            f"{', '.join(names)} out",
        )
    return Privacy(
        name,
        kinds=kinds,
        phone_regions=phone_regions,
        patterns=patterns,
        pattern_seconds=pattern_seconds,
        allow=allow,
        policy=policy,
        policies=policies,
        key_file=key_file,
        key_env=key_env,
        field=field,
        masked_field=masked_field,
        spans_key=spans_key,
        keep_values=keep_values,
        private=private,
        fields=fields,
        other_keys=other_keys,
    )
