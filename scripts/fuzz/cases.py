"""What is tried: pipelines, corpora and pictures, drawn from a random number generator that the case's seed made."""

from __future__ import annotations

import copy
import gzip
import io
import json
import random
from collections.abc import Callable
from pathlib import Path

from mutations import FACTORIES, SUFFIXES, mutate_bytes, mutate_tree, spelt

ROOT = Path(__file__).resolve().parents[2]
READERS = {".jsonl": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "csv", ".txt": "text", ".parquet": "parquet"}
READERS |= {".arrow": "arrow", ".spacy": "docbin", ".pdf": "pdf", ".png": "images"}


class Cases:
    """What is mutated: the project's own configs and corpora, and small files of each format."""

    def __init__(self, folder: Path) -> None:
        import spacy
        from spacy.tokens import DocBin

        import mmpipe
        from mmpipe.config.spelling import read_file
        from mmpipe.plugins import get_plugins

        folder.mkdir()
        self.plugins = get_plugins()
        files = sorted([*ROOT.glob("corpora/**/*.cfg"), *ROOT.glob("plugins/*/recipes/*.cfg")])
        self.trees = [json.loads(json.dumps(read_file(file))) for file in files]
        self.trees += [
            {"nlp": {"lang": "en", "pipeline": ["s", name]}, "components": {"s": {"factory": "sentencizer"}}}
            for name in FACTORIES
        ]
        nlp = mmpipe.load({"nlp": {"lang": "en", "pipeline": ["sentencizer"]}})
        self.nlp = nlp
        records = [{"id": str(i), "text": f"Text {i}, a film.", "questions": ["Why?"], "n": i} for i in range(4)]
        lines = "\n".join(json.dumps(record) for record in records).encode()
        self.corpora: dict[str, bytes] = {
            ".jsonl": lines,
            ".json": json.dumps(records).encode(),
            ".csv": b'id,text\n1,"a, b"\n2,c\n',
            ".tsv": b"id\ttext\n1\ta\n",
            ".txt": "Some text. é".encode(),
            ".spacy": DocBin(docs=[spacy.blank("en")("a b c")], store_user_data=True).to_bytes(),
            ".pdf": b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
            b"2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
            b"trailer<</Root 1 0 R>>\n%%EOF",
        }
        import pyarrow as pa
        import pyarrow.parquet as pq
        from PIL import Image

        table = pa.Table.from_pylist(records)
        pq.write_table(table, folder / "a.parquet")
        with pa.ipc.new_file(str(folder / "a.arrow"), table.schema) as writer:
            writer.write_table(table)
        self.corpora |= {file.suffix: file.read_bytes() for file in folder.iterdir()}
        self.images = []
        for form in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM"):
            stream = io.BytesIO()
            Image.linear_gradient("L").resize((40, 30)).convert("RGB").save(stream, form)
            self.images.append(stream.getvalue())
        self.corpora[".png"] = self.images[0]

    def config(self, chance: random.Random, folder: Path) -> Callable[[], None]:
        """A pipeline in one of its spellings, read, checked and built."""
        import mmpipe

        tree = copy.deepcopy(chance.choice(self.trees))
        for _ in range(chance.randint(0, 4)):
            mutate_tree(tree, chance)
        file = folder / f"p{chance.choice(SUFFIXES)}"
        file.write_bytes(spelt(tree, file.suffix, chance))
        overrides = {"components.s.model.device": "cpu"} if chance.random() < 0.2 else None
        untrusted = chance.random() < 0.5
        return lambda: mmpipe.load(file, overrides, weights=False, untrusted=untrusted) and None

    def records(self, chance: random.Random, folder: Path) -> Callable[[], None]:
        """A corpus in one of its formats, read to its end, each record made a Doc and a result."""
        import mmpipe
        from mmpipe.corpus.source import find_inputs

        suffix = chance.choice(sorted(self.corpora))
        data = mutate_bytes(self.corpora[suffix], chance)
        packing = chance.choice(("", "", "", ".gz"))
        file = folder / f"in{suffix}{packing}"
        file.write_bytes(gzip.compress(data, mtime=0) if packing and chance.random() < 0.7 else data)
        reader = chance.choice((None, None, None, READERS[chance.choice(sorted(READERS))]))

        def run() -> None:
            for given in find_inputs([str(file)], self.plugins, reader=reader):
                for item in given:
                    if item.record is None:
                        assert item.error is not None and item.raw is not None
                        continue
                    try:
                        mmpipe.to_record(mmpipe.make_doc(self.nlp, item.record, root=folder))
                    except mmpipe.RecordError:
                        continue

        return run

    def image(self, chance: random.Random, folder: Path) -> Callable[[], None]:
        """A picture, opened as a component would."""
        from mmpipe.media.image import open_image
        from mmpipe.media.policy import MediaPolicy
        from mmpipe.media.reference import make_reference

        file = folder / chance.choice(("a.png", "a.jpg", "a"))
        file.write_bytes(mutate_bytes(chance.choice(self.images), chance))
        policy = MediaPolicy(max_pixels=1_000_000)
        return lambda: open_image(make_reference(file.name, folder, policy, "x"), policy, "x") and None
