"""For mmpipe: `mmpipe_zero_shot`, which needs only labels, and `mmpipe_text_classifier`, which learns."""

from collections.abc import Iterable

import mmpipe

api_version = 1

TOPICS = {
    "arts": "books, films, music, theatre and art",
    "business": "companies, markets, jobs and the economy",
    "education": "schools, universities, teaching and learning",
    "environment": "nature, wildlife, climate and pollution",
    "food": "cooking, recipes, meals and restaurants",
    "health": "illness, medicine, doctors and hospitals",
    "law": "courts, crime, police and trials",
    "politics": "government, elections, parties and parliament",
    "science": "research, experiments, space and discoveries",
    "sport": "matches, athletes, teams and tournaments",
    "technology": "computers, phones, software and the internet",
    "travel": "journeys, holidays, hotels and tourism",
}
"""The labels of `mmpipe_zero_shot` where none are named, each with what it takes in."""


@mmpipe.hookimpl
def mmpipe_components() -> Iterable[mmpipe.ComponentSpec]:
    yield mmpipe.ComponentSpec(
        "mmpipe_zero_shot", "mmpipe_classify.factory", "topics of a text, by labels that you name and nothing learned"
    )
    yield mmpipe.ComponentSpec(
        "mmpipe_text_classifier", "mmpipe_classify.factory", "labels of a text, one or several, learned from examples"
    )


@mmpipe.hookimpl
def mmpipe_pipelines() -> Iterable[mmpipe.PipelineSpec]:
    config = {
        "nlp": {"lang": "en", "pipeline": ["topics"]},
        "components": {"topics": {"factory": "mmpipe_zero_shot"}},
    }
    yield mmpipe.PipelineSpec("topics", config, "a dozen general topics, zero-shot, by embeddings")
