from spacy.language import Language
from spacy.tokens import Doc

from mmpipe.document import set_extension

set_extension("loudness")


@Language.factory("acme_loudness", assigns=["doc._.loudness"], default_config={"mark_weight": 0.5})
def make_loudness(nlp: Language, name: str, mark_weight: float):
    """mark_weight: what an exclamation mark counts beside a word in capitals."""

    def loudness(doc: Doc) -> Doc:
        n_words = sum(token.is_upper and len(token) > 1 for token in doc)
        n_marks = sum(token.text == "!" for token in doc)
        doc._.loudness = (n_words + mark_weight * n_marks) / max(len(doc), 1)
        return doc

    return loudness
