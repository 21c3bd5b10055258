"""The base of a component, seen through a pipe of twenty lines over a tiny classifier."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.tokens import Doc

from mmpipe.component import TransformerPipe, sentences
from mmpipe.errors import ModelError, RecordError
from mmpipe.models.classifier import SequenceClassifier

TEXTS = ["this film is good", "never again", "the cat sat on the mat", "what a wonderful day", "free!"]
LABELS = ("bad", "good")


class Probe(TransformerPipe):
    """Writes the logits; refuses texts that say BAD, and fails on the way out at those that say LATE."""

    def predict(self, docs):
        docs = list(docs)
        if any("BAD" in doc.text for doc in docs):
            raise RecordError("bad text")
        return [result.logits for result in self.model.predict([doc.text for doc in docs])]

    def set_annotations(self, docs, predictions):
        for doc, logits in zip(docs, predictions, strict=True):
            if "LATE" in doc.text:
                raise ValueError("late")
            doc._.set(self.field, logits.tolist())


@pytest.fixture
def nlp():
    return spacy.blank("en")


@pytest.fixture
def build(nlp):
    def build(folder: str, **cfg) -> Probe:
        model = SequenceClassifier(str(folder), device="cpu", precision="fp32")
        return Probe(nlp.vocab, model, "probe", field="probe_logits", **cfg)

    return build


@pytest.fixture
def pipe(build, tiny) -> Probe:
    return build(tiny("bert", labels=LABELS))


def logits(pipe: Probe, nlp, texts=TEXTS) -> list:
    return [doc._.probe_logits for doc in pipe.pipe(nlp.make_doc(text) for text in texts)]


class TestPipe:
    @pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
    def test_order_and_results_at_any_batch_size(self, pipe, nlp, batch_size):
        docs = list(pipe.pipe(map(nlp.make_doc, TEXTS * 3), batch_size=batch_size))
        assert [doc.text for doc in docs] == TEXTS * 3
        assert [doc._.probe_logits for doc in docs] == [pipe(nlp.make_doc(t))._.probe_logits for t in TEXTS] * 3

    @pytest.mark.parametrize("batch_size", [1, 4, 100])
    @pytest.mark.parametrize("word", ["BAD", "LATE"])
    def test_only_the_failing_documents_fail(self, pipe, nlp, batch_size, word):
        failed = []
        pipe.set_error_handler(lambda name, proc, docs, error: failed.append((name, proc, list(docs), error)))
        texts = [TEXTS[0], f"{word} one", *TEXTS[1:], f"{word} two"]
        docs = list(pipe.pipe(map(nlp.make_doc, texts), batch_size=batch_size))
        assert [doc.text for doc in docs] == TEXTS
        assert [doc._.probe_logits for doc in docs] == logits(pipe, nlp)
        assert [(name, proc, [d.text for d in docs]) for name, proc, docs, _ in failed] == [
            ("probe", pipe, [f"{word} one"]),
            ("probe", pipe, [f"{word} two"]),
        ]
        assert {type(error) for *_, error in failed} == {RecordError if word == "BAD" else ValueError}

    def test_failure_is_raised_without_a_handler(self, pipe, nlp):
        with pytest.raises(RecordError):
            list(pipe.pipe([nlp.make_doc("good"), nlp.make_doc("BAD")]))

    def test_stream_is_lazy(self, pipe, nlp):
        taken = []

        def stream():
            for number in range(100):
                taken.append(number)
                yield nlp.make_doc("good")

        next(pipe.pipe(stream(), batch_size=2))
        assert len(taken) <= 3

    @pytest.mark.parametrize("is_stream", [True, False])
    def test_model_error_is_no_documents_fault(self, build, nlp, tmp_path, is_stream):
        pipe = build(tmp_path / "nowhere")
        blamed: list[Doc] = []
        pipe.set_error_handler(lambda name, proc, docs, error: blamed.extend(docs))
        doc = nlp.make_doc("good")
        with pytest.raises(ModelError, match="nowhere"):
            list(pipe.pipe([doc])) if is_stream else pipe(doc)
        assert not blamed

    def test_subclass_without_predict_says_so(self, pipe, nlp):
        bare = TransformerPipe(nlp.vocab, pipe.model, "bare", field="probe_logits")
        with pytest.raises(NotImplementedError, match="must define predict"):
            bare(nlp.make_doc("good"))


class TestSaving:
    def test_weights(self, pipe, build, nlp, tiny, tmp_path):
        """Into a component that was built with another model; the old folder is not needed any more."""
        pipe.to_disk(tmp_path / "saved")
        other = build(tiny("bert", labels=LABELS, seed=1))
        assert logits(other, nlp) != logits(pipe, nlp)
        moved = shutil.move(tmp_path / "saved", tmp_path / "moved")
        assert logits(other.from_disk(moved), nlp) == logits(pipe, nlp)
        assert (Path(moved) / "model" / "model.safetensors").exists()
        assert not list(Path(moved).rglob("*.bin"))
        assert tiny("bert", labels=LABELS) not in (Path(moved) / "model" / "config.json").read_text()

    def test_saved_folder_is_a_hugging_face_checkpoint(self, pipe, nlp, tmp_path):
        import torch
        import transformers

        pipe.to_disk(tmp_path)
        model = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "model").eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
        with torch.no_grad():
            expected = [model(**tokenizer(t, return_tensors="pt")).logits[0].numpy() for t in TEXTS]
        np.testing.assert_allclose(logits(pipe, nlp), expected, atol=1e-4)

    @pytest.mark.parametrize("is_used", [True, False])
    def test_over_the_folder_that_it_came_from(self, pipe, build, nlp, tmp_path, is_used):
        """Weights load late: what is about to be overwritten may not have been read yet."""
        expected = logits(pipe, nlp)
        pipe.to_disk(tmp_path)
        again = build(tmp_path / "model").from_disk(tmp_path)
        if is_used:
            logits(again, nlp)
        again.to_disk(tmp_path)
        assert logits(build(tmp_path / "nowhere").from_disk(tmp_path), nlp) == expected
        assert sorted(path.name for path in tmp_path.iterdir()) == ["cfg", "model"]

    def test_saved_files_do_not_depend_on_use(self, build, nlp, tiny, tmp_path):
        folder = tiny("bert", labels=LABELS)
        used, fresh = build(folder), build(folder)
        logits(used, nlp, [*TEXTS, "the cat sat on the mat " * 50])
        assert used.to_bytes() == fresh.to_bytes()

    def test_half_precision_is_saved_in_full(self, nlp, tiny, tmp_path):
        folder = tiny("bert", labels=LABELS)
        model = SequenceClassifier(folder, device="cpu", precision="bf16")
        half = Probe(nlp.vocab, model, "probe", field="probe_logits")
        logits(half, nlp)
        half.to_disk(tmp_path)
        from safetensors.torch import load_file

        saved, original = (load_file(Path(f) / "model.safetensors") for f in (tmp_path / "model", folder))
        assert all((saved[name] == tensor).all() for name, tensor in original.items())

    def test_reference(self, build, nlp, tiny, tmp_path):
        folder = shutil.copytree(tiny("bert", labels=LABELS), tmp_path / "checkpoint")
        pipe = build(folder, save_weights=False)
        expected = logits(pipe, nlp)
        pipe.to_disk(tmp_path / "saved")
        assert not list((tmp_path / "saved").rglob("*.safetensors"))
        assert logits(build(tmp_path / "nowhere").from_disk(tmp_path / "saved"), nlp) == expected
        other = Path(tiny("bert", labels=LABELS, seed=1)) / "model.safetensors"
        shutil.copyfile(other, folder / "model.safetensors")
        with pytest.raises(ModelError, match="has other weights"):
            build(tmp_path / "nowhere").from_disk(tmp_path / "saved")

    def test_reference_to_a_relative_folder_holds_from_anywhere(self, build, nlp, tiny, tmp_path, monkeypatch):
        shutil.copytree(tiny("bert", labels=LABELS), tmp_path / "checkpoint")
        monkeypatch.chdir(tmp_path)
        build("./checkpoint", save_weights=False).to_disk(tmp_path / "saved")
        monkeypatch.chdir("/")
        assert logits(build("nowhere/x").from_disk(tmp_path / "saved"), nlp)

    @pytest.mark.parametrize("save_weights", [True, False])
    def test_bytes(self, pipe, build, nlp, tiny, tmp_path, save_weights):
        expected = logits(pipe, nlp)
        pipe.cfg["save_weights"] = save_weights
        again = build(tmp_path / "nowhere").from_bytes(pipe.to_bytes())
        assert logits(again, nlp) == expected

    def test_bytes_cannot_write_outside_their_folder(self, pipe, tmp_path):
        import srsly

        target = tmp_path / "written"
        with pytest.raises(ModelError, match="outside"):
            pipe.from_bytes(srsly.msgpack_dumps({str(target): b"x"}))
        assert not target.exists()

    def test_without_the_model(self, pipe, tmp_path):
        pipe.to_disk(tmp_path, exclude=["model"])
        assert [path.name for path in tmp_path.iterdir()] == ["cfg"]
        pipe.from_disk(tmp_path, exclude=["model"])


def test_provenance(pipe, tiny):
    made = pipe.provenance
    assert json.loads(json.dumps(made)) == made
    assert (made["model"], made["device"], made["precision"]) == (tiny("bert", labels=LABELS), "cpu", "fp32")
    assert len(made["weights_sha256"]) == 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'He said no. "I will not go," he added. She left.',
            ["He said no.", '"I will not go," he added.', "She left."],
        ),
        ('"No." (He left.) "Yes!"', ['"No."', "(He left.)", '"Yes!"']),
        ("One. \n\n Two.  ", ["One.", "Two."]),
        ('A "', ['A "']),
        ('"', ['"']),
        (" \n ", []),
    ],
)
def test_sentences_keep_their_marks(text, expected):
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    assert [span.text for span in sentences(nlp(text))] == expected
