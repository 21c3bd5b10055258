"""The base of a component: a spaCy pipe around a transformer model.

A subclass says what a model's predictions mean for a Doc: `predict` reads and `set_annotations` writes. The
base isolates a failing document, saves and loads, and says where results came from.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import srsly
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch
from spacy.vocab import Vocab
from thinc.api import Model

from mmpipe.component.model_place import load_model
from mmpipe.document import RECORD, set_extension
from mmpipe.errors import ModelError
from mmpipe.learning import LearningPipe
from mmpipe.models.packing import pack, unpack
from mmpipe.models.reference import Reference
from mmpipe.models.transformer import has_shim, shim_of
from mmpipe.plugins import get_plugins
from mmpipe.sentences import ensure_sentences, sentences

__all__ = ["TransformerPipe", "ensure_sentences", "sentences"]

_MODEL_FOLDER, _THINC_FILE, _CALIBRATION = "model", "thinc.msgpack", "calibration.json"


class TransformerPipe(LearningPipe):
    """Base of mmpipe's components.

    vocab, model, name: as for any spaCy pipe; the model is one of mmpipe's architectures.
    field: the result goes to `doc._.<field>`; the extension is registered unless something has already.
    save_weights: `to_disk` writes the weights; otherwise a reference pinned by the SHA-256 of the weights. Weights
        that have been trained are written in any case.

    metric: the name of the metric that judges it (the hook `mmpipe_metrics`); None where nothing does.
    result_type: what it writes, as a column of a table: "string", "int", "float", "bool", "json" (anything), [type],
        {"*": type} (any keys) or {key: type, ...}; null fits each. None where that is not fixed.
    """

    metric: ClassVar[str | None] = None
    result_type: ClassVar[Any] = None

    def __init__(self, vocab: Vocab, model: Model, name: str, *, field: str, save_weights: bool = True, **cfg: Any):
        super().__init__(vocab, model, name, field=field, save_weights=save_weights, **cfg)
        set_extension(field)

    @property
    def field(self) -> str:
        return self.cfg["field"]

    @property
    def provenance(self) -> dict[str, Any]:
        """What its results are made with: `model`, `revision`, `weights_sha256`, `device` and `precision`.

        {} for a model without a checkpoint.
        """
        return shim_of(self.model).provenance if has_shim(self.model) else {}

    @property
    def saves_weights(self) -> bool:
        """Whether `to_disk` writes weights: the setting `save_weights`, and always once they have been trained."""
        return self.cfg["save_weights"] or shim_of(self.model).trainer is not None

    def load_weights(self) -> None:
        """Bring the model into memory now. Raises ModelError where it cannot be found or used."""
        if has_shim(self.model):
            load_model(self.model, self.name)

    def predict(self, docs: Iterable[Doc]) -> Sequence[Any]:
        """One prediction a document, in order; the documents stay as they are."""
        raise NotImplementedError(f"{type(self).__name__} must define predict(docs)")

    def set_annotations(self, docs: Iterable[Doc], predictions: Sequence[Any]) -> None:
        """Write the predictions to the documents."""
        raise NotImplementedError(f"{type(self).__name__} must define set_annotations(docs, predictions)")

    def __call__(self, doc: Doc) -> Doc | None:
        """Process one document as `pipe` does; None where the error handler let a failure pass."""
        return next(self._process([doc]), None)

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Process a stream, in order. Only a document that fails goes to the error handler, alone."""
        for docs in minibatch(stream, size=batch_size):
            yield from self._process(list(docs))

    def _process(self, docs: list[Doc]) -> Iterator[Doc]:
        try:
            self.set_annotations(docs, self.predict(docs))
        except ModelError:
            raise  # No document is to blame.
        except Exception as error:
            if len(docs) == 1:
                self.get_error_handler()(self.name, self, docs, error)
                return
            middle = len(docs) // 2
            yield from self._process(docs[:middle])
            yield from self._process(docs[middle:])
        else:
            yield from docs

    def score(self, examples: Iterable[Example], *, gold_key: str | None = None, **kwargs: Any) -> dict[str, float]:
        """Figures of its metric over examples, each keyed `<component>_<figure>`; {} where no example has gold.

        The gold stands in the record of the reference document. gold_key: the record's key that holds it, the
        metric's own when None. kwargs: what spaCy's Scorer hands to every component. Raises RecordError where the
        gold of a record is malformed.
        """
        if self.metric is None or not Doc.has_extension(RECORD):
            return {}
        metric, pairs = get_plugins().code("metrics", self.metric)(), []
        for example in examples:
            gold = metric.read_gold(example.reference._.get(RECORD) or {}, gold_key)
            if gold is not None:
                pairs += metric.pairs(gold, example.predicted._.get(self.field))
        figures = metric.recounter(pairs)(np.arange(len(pairs))) if pairs else {}
        return {f"{self.name}_{key}": value for key, value in figures.items()}

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Save the settings, and the weights as a Hugging Face folder with safetensors, or a pinned reference."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        srsly.write_json(folder / "cfg", self.cfg)
        if self.model.attrs.get("temperature") is not None:
            srsly.write_json(folder / _CALIBRATION, {"temperature": self.model.attrs["temperature"]})
        else:
            (folder / _CALIBRATION).unlink(missing_ok=True)  # An older pipeline's, saved into the same folder.
        if "model" in exclude:
            return
        # Beside the old ones first: they may be what this component is yet to load.
        fresh = folder / f"{_MODEL_FOLDER}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        if not has_shim(self.model):
            (folder / _THINC_FILE).write_bytes(self.model.to_bytes())
            return
        if self.saves_weights:
            fresh.mkdir()
            shim_of(self.model).to_disk(fresh)
        else:
            srsly.write_json(folder / "reference.json", self._reference())
        shutil.rmtree(folder / _MODEL_FOLDER, ignore_errors=True)
        if fresh.exists():
            fresh.rename(folder / _MODEL_FOLDER)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> TransformerPipe:
        """Load what `to_disk` saved. Raises ModelError where a pinned reference now has other weights."""
        folder = Path(path)
        self.cfg.update(srsly.read_json(folder / "cfg"))
        set_extension(self.field)
        if "model" in exclude:
            return self
        # A temperature that the config names wins over the one saved.
        if (folder / _CALIBRATION).exists() and self.model.attrs.get("temperature", 1.0) is None:
            self.model.attrs["temperature"] = srsly.read_json(folder / _CALIBRATION)["temperature"]
        if not has_shim(self.model):
            self.model.from_bytes((folder / _THINC_FILE).read_bytes())
            return self
        shim = shim_of(self.model)
        if (folder / _MODEL_FOLDER).is_dir():
            shim.point_to(Reference(str((folder / _MODEL_FOLDER).resolve()), None, True))
        elif (folder / "reference.json").exists():
            self._follow(srsly.read_json(folder / "reference.json"), str(folder))
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """As `to_disk`, in bytes."""
        with tempfile.TemporaryDirectory() as folder:
            self.to_disk(folder, exclude=exclude)
            return pack(Path(folder))

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> TransformerPipe:
        """As `from_disk`. The weights lie in a temporary folder for as long as this component lives."""
        self._folder = tempfile.TemporaryDirectory(prefix="mmpipe-")
        unpack(data, Path(self._folder.name))
        return self.from_disk(self._folder.name, exclude=exclude)

    def _reference(self) -> dict[str, Any]:
        made = self.provenance
        pinned = {key: made[key] for key in ("model", "revision", "weights_sha256")}
        # A folder named from where we stand now would be another one elsewhere.
        is_folder = Path(made["model"]).expanduser().is_dir()
        return pinned | ({"model": str(Path(made["model"]).expanduser().resolve())} if is_folder else {})

    def _follow(self, pinned: dict[str, Any], where: str) -> None:
        shim = shim_of(self.model)
        shim.point_to(Reference(pinned["model"], pinned["revision"], shim.checkpoint.reference.offline))
        found = shim.checkpoint.files.fingerprint
        if found != pinned["weights_sha256"]:
            raise ModelError(
                f"model {pinned['model']!r} has other weights (SHA-256 {found}) than the saved pipeline "
                f"({pinned['weights_sha256']})",
                where=where,
                next_step="get the weights that it was saved with, or save the pipeline anew",
            )
