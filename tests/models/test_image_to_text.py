"""Texts about images against Hugging Face's own processors and `generate`, on the same random weights."""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForImageTextToText, AutoProcessor, AutoTokenizer

import mmpipe.models.grid_encoder  # noqa: F401
from mmpipe.errors import ModelError, RecordError
from mmpipe.models.image_family import family_of
from mmpipe.models.image_to_text import ImageToText, describe_each, loss
from mmpipe.models.transformer import shim_of
from mmpipe.models.windows import model_max_tokens
from mmpipe.runtime.ahead import N_AHEAD, N_THREADS
from mmpipe.testing import VISION

PROMPTS: dict[str, str | None] = {
    "blip": "the cat",
    "git": "the cat",
    "idefics3": "what is this?",
    "smolvlm": "what is this?",
    "qwen2-vl": "what is this?",
}
WITHOUT_TORCHVISION = {"backend": "pil"} if transformers.__version__ >= "5" else {"use_fast": False}
LENGTH = {"max_new_tokens": 10}


def picture(width: int, height: int, seed: int) -> Image.Image:
    """A few soft patches of colour; of noise, or of one colour, tiny models see little."""
    values = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((width, height), Image.Resampling.BICUBIC)


PICTURES = [picture(*size, seed) for seed, size in enumerate([(40, 40), (80, 40), (33, 57), (40, 40), (120, 90)])]


def build(folder: str, **options: Any) -> Any:
    return ImageToText(folder, **{"device": "cpu", **LENGTH, **options})


class Reference:
    """Hugging Face's own way, one image at a time."""

    def __init__(self, folder: str, family: str, prompt: str | None) -> None:
        self.family, self.prompt = family, prompt
        self.model = AutoModelForImageTextToText.from_pretrained(folder).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        images = transformers.AutoImageProcessor.from_pretrained(folder, **WITHOUT_TORCHVISION)
        if family.endswith("gpt2"):
            self.processor: Any = images
        elif family in ("smolvlm", "qwen2-vl"):
            self.processor = without_videos(family, images, self.tokenizer, folder)
        else:
            self.processor = AutoProcessor.from_pretrained(folder)

    def inputs(self, image: Image.Image) -> dict[str, Any]:
        if self.family in ("idefics3", "smolvlm", "qwen2-vl"):
            content = [{"type": "image"}, {"type": "text", "text": self.prompt}]
            asked = self.tokenizer.apply_chat_template(
                [{"role": "user", "content": content}],
                chat_template=self.processor.chat_template,
                add_generation_prompt=True,
                tokenize=False,
            )
            return dict(self.processor(images=[image], text=[asked], return_tensors="pt"))
        if self.prompt is None:
            return {"pixel_values": self.processor(images=image, return_tensors="pt")["pixel_values"]}
        if self.family == "git":  # As the model's page shows it: no end mark behind the prompt.
            ids = self.tokenizer(self.prompt, add_special_tokens=False)["input_ids"]
            ids = torch.tensor([[self.tokenizer.cls_token_id, *ids]])
            return {**self.processor(images=image, return_tensors="pt"), "input_ids": ids}
        found = dict(self.processor(images=image, text=self.prompt, return_tensors="pt"))
        return {name: found[name] for name in ("pixel_values", "input_ids", "attention_mask")}

    def __call__(self, image: Image.Image, **options: Any) -> tuple[str, float]:
        inputs = self.inputs(image)
        if self.family == "vit-gpt2" or self.family == "grid-gpt2":
            options["use_cache"] = False  # 4.53 cannot reorder the beams of GPT-2's cache here.
        asked = {"return_dict_in_generate": True, "output_logits": True, "output_scores": True, "do_sample": False}
        with torch.inference_mode():
            found = self.model.generate(**inputs, **LENGTH, **options, **asked)
        writer = self.model.text_decoder if self.family == "blip" else self.model
        beams = getattr(found, "beam_indices", None)
        steps = writer.compute_transition_scores(found.sequences, found.logits, beams, normalize_logits=True)[0]
        if beams is not None:
            steps = steps[beams[0][: len(steps)] >= 0]
        else:
            ends = {self.model.generation_config.eos_token_id, getattr(self.tokenizer, "sep_token_id", None)}
            tokens = found.sequences[0, -len(steps) :].tolist()
            steps = steps[: next((i + 1 for i, token in enumerate(tokens) if token in ends), len(tokens))]
        ids = found.sequences[0]
        if self.family in ("idefics3", "smolvlm", "qwen2-vl"):
            ids = ids[inputs["input_ids"].shape[1] :]
        return self.tokenizer.decode(ids, skip_special_tokens=True).strip(), float(steps.mean().exp())

    def target(self, image: Image.Image, caption: str) -> dict[str, Any]:
        """What the model's own `forward` takes to compute its loss, as the models' pages show it."""
        tokenizer = self.tokenizer
        if self.family == "vit-gpt2":
            ids = tokenizer(caption, add_special_tokens=False)["input_ids"]
            return {"labels": torch.tensor([[*ids, tokenizer.eos_token_id]])}
        if self.family == "idefics3":
            asked = tokenizer.decode(self.inputs(image)["input_ids"][0])
            ids = tokenizer(f"{asked}{caption}{tokenizer.eos_token}", return_tensors="pt")["input_ids"]
            n_asked = self.inputs(image)["input_ids"].shape[1]
            labels = torch.where(torch.arange(ids.shape[1]) < n_asked, -100, ids)
            return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}
        ids = tokenizer(caption, return_tensors="pt")["input_ids"]
        if self.family == "blip":
            ids[:, 0] = self.model.config.text_config.bos_token_id
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids.clone()}


def without_videos(family: str, images: Any, tokenizer: Any, folder: str) -> Any:
    """The family's processor where torchvision is not installed, which its part for videos needs."""
    if family == "smolvlm":
        from transformers.models.smolvlm import processing_smolvlm

        processing_smolvlm.num2words = processing_smolvlm.num2words or str
        kind: Any = transformers.SmolVLMProcessor
        more: dict[str, Any] = {"image_seq_len": 4}
    else:
        kind, more = transformers.Qwen2VLProcessor, {}
    patched = type("Patched", (kind,), {"check_argument_for_proper_class": lambda *_: None})
    template = (Path(folder) / "chat_template.jinja").read_text("utf-8")
    return patched(images, tokenizer, None, chat_template=template, **more)


@pytest.mark.parametrize("num_beams", [1, 3])
@pytest.mark.parametrize("family", VISION)
def test_texts_and_scores_are_hugging_faces(tiny: Callable[..., str], family: str, num_beams: int) -> None:
    folder = tiny(family)
    for prompt in {PROMPTS.get(family), None if family in ("blip", "git") else PROMPTS.get(family)}:
        reference = Reference(folder, family, prompt)
        wanted = [reference(image, num_beams=num_beams) for image in PICTURES]
        found = build(folder, prompt=prompt, num_beams=num_beams).predict(PICTURES)
        assert [result.text for result in found] == [text for text, _ in wanted]
        assert [result.score for result in found] == pytest.approx([score for _, score in wanted], abs=1e-4)
        assert len({text for text, _ in wanted}) > 2, "all images look alike: the test could not fail"


@pytest.mark.parametrize("family", ["vit-gpt2", "blip"])
def test_penalties_and_lengths_are_hugging_faces(tiny: Callable[..., str], family: str) -> None:
    folder, prompt = tiny(family), PROMPTS.get(family)
    reference = Reference(folder, family, prompt)
    plain = [result.text for result in build(folder, prompt=prompt, num_beams=3).predict(PICTURES)]
    for options in (
        {"repetition_penalty": 3.0},
        {"no_repeat_ngram_size": 1},
        {"length_penalty": -5.0, "early_stopping": True, "min_new_tokens": 2},
    ):
        wanted = [reference(image, num_beams=3, **options) for image in PICTURES]
        found = build(folder, prompt=prompt, num_beams=3, **options).predict(PICTURES)
        assert [result.text for result in found] == [text for text, _ in wanted]
        assert [result.score for result in found] == pytest.approx([score for _, score in wanted], abs=1e-4)
        assert [result.text for result in found] != plain or "length_penalty" in options


@pytest.mark.parametrize(
    ("family", "num_beams"),
    [("vit-gpt2", 1), ("vit-gpt2", 3), ("blip", 3), ("git", 3), ("idefics3", 3), ("qwen2-vl", 3)],
)
def test_the_same_alone_and_in_any_batch(tiny: Callable[..., str], family: str, num_beams: int) -> None:
    options = {"prompt": PROMPTS.get(family), "num_beams": num_beams}
    model = build(tiny(family), **options)
    alone = [model.predict([image])[0] for image in PICTURES]
    images, alone = [*PICTURES, *PICTURES], [*alone, *alone]
    order = random.Random(0).sample(range(len(images)), len(images))
    for size in (2, 64):
        found = build(tiny(family), **options, batch_images=size).predict([images[i] for i in order])
        assert [result.text for result in found] == [alone[i].text for i in order]
        assert [result.score for result in found] == pytest.approx([alone[i].score for i in order], abs=1e-5)


def test_images_are_opened_in_turn_and_few_wait(tiny: Callable[..., str]) -> None:
    """Of fourteen images of seven shapes (the pixels of chat models differ), no more than twice `batch_images` wait."""
    model = build(tiny("qwen2-vl"), prompt="what?", batch_images=2, max_new_tokens=1)
    module, opened, written, most = shim_of(model).module, 0, 0, 0
    generate = module.generate

    def note(**inputs: Any) -> Any:
        nonlocal written
        written += len(inputs["input_ids"])
        return generate(**inputs)

    def opener(index: int) -> Callable[[], Image.Image]:
        def open_() -> Image.Image:
            nonlocal opened, most
            opened += 1
            most = max(most, opened - written)
            return picture(32, 32 + 32 * (index % 7), index)

        return open_

    module.generate = note
    try:
        assert len(model.predict([opener(index) for index in range(14)])) == 14
    finally:
        del module.generate
    assert opened == written == 14
    assert most <= 4 + N_AHEAD + N_THREADS  # Some are opened before their turn.


def test_an_image_at_fault_is_alone_in_it(tiny: Callable[..., str]) -> None:
    def broken() -> Image.Image:
        raise RecordError("no such image")

    model = build(tiny("qwen2-vl"), prompt="what?", max_new_tokens=2)
    stripe = picture(2, 900, 0)  # Qwen2-VL's processor refuses such a shape.
    first, no_image, refused, last = describe_each(model, [PICTURES[0], broken, stripe, PICTURES[1]])
    assert [first, last] == model.predict(PICTURES[:2])
    assert isinstance(no_image, RecordError) and "no such image" in str(no_image)
    assert isinstance(refused, RecordError) and "2 x 900 pixels" in str(refused)
    with pytest.raises(RecordError, match="no such image"):
        model.predict([PICTURES[0], broken])


def test_an_image_that_the_model_fails_at_is_alone_in_it(tiny: Callable[..., str]) -> None:
    model = build(tiny("vit-gpt2"), batch_images=8)
    wanted, module = model.predict(PICTURES), shim_of(model).module
    faulty = build(tiny("vit-gpt2")).predict(PICTURES)[2]  # Told by its pixels below.
    assert faulty == wanted[2]
    shim, generate = shim_of(model), module.generate
    pixels = shim.checkpoint.image_processor(images=PICTURES[2], return_tensors="pt")["pixel_values"]

    def run_out(**inputs: Any) -> Any:
        if any(torch.equal(row, pixels[0]) for row in inputs["pixel_values"]):
            raise RuntimeError("can't allocate memory")
        return generate(**inputs)

    module.generate = run_out
    try:
        found = describe_each(model, PICTURES)
    finally:
        del module.generate
    assert isinstance(found[2], RecordError) and "can't allocate memory" in str(found[2]) and found[2].next_step
    for index in (0, 1, 3, 4):
        assert found[index].text == wanted[index].text
        assert found[index].score == pytest.approx(wanted[index].score, abs=1e-5)


def test_scores_stay_apart_where_threads_share_the_weights(tiny: Callable[..., str]) -> None:
    """After each step of one thread, before its probabilities are looked at, another thread captions other images."""
    model, other = build(tiny("vit-gpt2")), build(tiny("vit-gpt2"))
    module, main = shim_of(model).module, threading.get_ident()
    assert shim_of(other).module is module
    alone, generate, met = model.predict(PICTURES[:1]), module.generate, []

    def cut_in(*_: Any) -> None:
        if threading.get_ident() == main:
            thread = threading.Thread(target=lambda: met.append(other.predict(PICTURES[1:3])))
            thread.start()
            thread.join()

    def step_by_step(**inputs: Any) -> Any:
        if threading.get_ident() != main:
            return generate(**inputs)
        handle = module.register_forward_hook(cut_in)
        try:
            return generate(**inputs)
        finally:
            handle.remove()

    module.generate = step_by_step
    try:
        found = model.predict(PICTURES[:1])
    finally:
        del module.generate
    assert len(met) > 1 and found == alone


def test_a_chat_begins_once(tiny: Callable[..., str], tmp_path: Path) -> None:
    """Template and tokenizer both write the mark of a beginning (as Idefics3's do); so asks Hugging Face's own chat."""
    folder = shutil.copytree(tiny("idefics3"), tmp_path / "copy")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    begin, begin_id = tokenizer.bos_token, tokenizer.bos_token_id
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{begin} $A", pair=f"{begin} $A $B", special_tokens=[(begin, begin_id)]
    )
    tokenizer.save_pretrained(folder)
    template = folder / "chat_template.jinja"
    template.write_text("{{ bos_token }}" + template.read_text("utf-8"), "utf-8")
    content = [{"type": "image", "image": PICTURES[0]}, {"type": "text", "text": "what is this?"}]
    wanted = AutoProcessor.from_pretrained(folder).apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )["input_ids"]
    found = family_of(shim_of(build(str(folder))).checkpoint, "what is this?").inputs(PICTURES[0])["input_ids"]
    assert found.tolist() == wanted.tolist() and found[0].tolist().count(begin_id) == 1


@pytest.mark.parametrize("family", ["vit-gpt2", "blip", "git", "idefics3", "qwen2-vl"])
@pytest.mark.parametrize("size", [(1, 1), (3, 3), (300, 3)])
def test_odd_shapes_give_a_text_or_a_named_error(tiny: Callable[..., str], family: str, size: tuple[int, int]) -> None:
    model = build(tiny(family), prompt=PROMPTS.get(family), max_new_tokens=2)
    [found] = describe_each(model, [picture(*size, 1)])
    if isinstance(found, RecordError):
        assert family in ("idefics3", "smolvlm", "qwen2-vl") and "pixels cannot be prepared" in str(found)
    else:
        assert 0 < found.score <= 1


def test_a_model_that_takes_no_prompt_and_one_that_cannot_chat_say_so(tiny: Callable[..., str], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="take no prompt"):
        build(tiny("vit-gpt2"), prompt="a photo of").predict(PICTURES)
    folder = shutil.copytree(tiny("idefics3"), tmp_path / "copy")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="has no chat template"):
        build(str(folder), prompt="what?").predict(PICTURES)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match="image processor"):
        build(str(folder), prompt="what?").predict(PICTURES)
    with pytest.raises(ModelError, match="batch_images"):
        build(str(folder), batch_images=0)


@pytest.mark.parametrize("family", ["grid-gpt2", "git", "smolvlm", "qwen2-vl"])
def test_saved_and_loaded_it_says_the_same(tiny: Callable[..., str], family: str, tmp_path: Path) -> None:
    prompt = PROMPTS.get(family)
    model = build(tiny(family), prompt=prompt)
    (tmp_path / "saved").mkdir()
    shim_of(model).to_disk(tmp_path / "saved")
    assert build(str(tmp_path / "saved"), prompt=prompt).predict(PICTURES) == model.predict(PICTURES)


CAPTIONS = ["the cat sat on the mat", "a wonderful day", "the quick brown fox jumps over the lazy dog"]


@pytest.mark.parametrize("family", ["vit-gpt2", "blip", "git", "idefics3"])
def test_loss_is_hugging_faces(tiny: Callable[..., str], family: str) -> None:
    """Of one image and caption, and the mean over the tokens of several."""
    prompt = "what is this?" if family == "idefics3" else None
    model, reference = build(tiny(family), prompt=prompt), Reference(tiny(family), family, prompt)
    shim_of(model).training_options["precision"] = "fp32"
    total = n_tokens = 0
    for image, caption in zip(PICTURES, CAPTIONS, strict=False):
        batch = reference.inputs(image) | reference.target(image, caption)
        n_learned = int((batch["labels"] >= 0).sum()) - (family in ("blip", "git"))
        with torch.no_grad():
            output = reference.model(**batch)
        wanted = float(output.loss)
        if transformers.__version__ < "5" and family in ("vit-gpt2", "git"):
            # 4.53 moves the labels of these two on twice; 5 mended it.
            logits, labels = output.logits[0], batch["labels"][0]
            logits, labels = (logits[-len(labels) : -1], labels[1:]) if family == "git" else (logits, labels)
            wanted = float(torch.nn.functional.cross_entropy(logits, labels))
        assert float(loss(model, [image], [caption]).detach()) == pytest.approx(wanted, abs=1e-4)
        total, n_tokens = total + wanted * n_learned, n_tokens + n_learned
    assert float(loss(model, PICTURES[:3], CAPTIONS).detach()) == pytest.approx(total / n_tokens, abs=1e-4)


@pytest.mark.parametrize("family", ["vit-gpt2", "blip", "git"])
def test_a_caption_longer_than_the_model_teaches_its_beginning(tiny: Callable[..., str], family: str) -> None:
    model = build(tiny(family))
    shim_of(model).training_options["precision"] = "fp32"
    config, words = shim_of(model).config, "the quick brown fox jumps over the lazy dog and the cat sat on the mat "
    writer = {"vit-gpt2": "decoder", "blip": "text_config"}.get(family)
    limit = model_max_tokens(getattr(config, writer) if writer else config, shim_of(model).tokenizer)
    found = [float(loss(model, PICTURES[:1], [words * n]).detach()) for n in (limit, 2 * limit)]
    assert found[0] == found[1] > 0


@pytest.mark.parametrize("family", ["grid-gpt2", "blip", "qwen2-vl"])
def test_the_loss_falls(tiny: Callable[..., str], family: str) -> None:
    model = build(tiny(family), prompt=PROMPTS["idefics3"] if family == "qwen2-vl" else None)
    shim = shim_of(model)
    with shim.training() as module:
        optimizer = torch.optim.Adam(module.parameters(), lr=3e-3)
    before = float(loss(model, PICTURES[:3], CAPTIONS).detach())
    for _ in range(3):
        optimizer.zero_grad()
        loss(model, PICTURES[:3], CAPTIONS).backward()
        optimizer.step()
    assert float(loss(model, PICTURES[:3], CAPTIONS).detach()) < before - 0.5
