"""The grid encoder alone, and as half of a Hugging Face captioner that is saved, loaded and asked for captions."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional
from transformers import (
    AutoConfig,
    AutoModel,
    BlenderbotConfig,
    BlenderbotForCausalLM,
    GenerationConfig,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
)

from mmpipe.models.grid_encoder import Backbone, GridEncoder, GridEncoderConfig, SameConv

TINY = {
    "image_size": 64,
    "stem_channels": 8,
    "stages": [(1, 8, 1, 2), (4, 12, 2, 2), (4, 16, 2, 2), (4, 16, 1, 2)],
    "last_channels": 32,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}


@pytest.fixture
def encoder() -> GridEncoder:
    torch.manual_seed(0)
    model = GridEncoder(GridEncoderConfig(**TINY)).eval()
    for module in model.modules():
        if isinstance(module, SameConv):
            torch.nn.init.kaiming_normal_(module.weight)
    return model


@pytest.fixture
def captioner(encoder) -> VisionEncoderDecoderModel:
    decoder = BlenderbotConfig(
        vocab_size=20,
        d_model=16,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_position_embeddings=16,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        is_decoder=True,
        add_cross_attention=True,
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder.config, decoder)
    model = VisionEncoderDecoderModel(config, encoder=encoder, decoder=BlenderbotForCausalLM(decoder)).eval()
    model.generation_config = GenerationConfig(
        decoder_start_token_id=1, bos_token_id=1, eos_token_id=2, pad_token_id=0, max_new_tokens=8, num_beams=3
    )
    return model


def pixels(images: int = 3) -> torch.Tensor:
    return torch.rand(images, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_one_vector_a_cell(encoder):
    states = encoder(pixels()).last_hidden_state
    assert states.shape == (3, 4, 16)
    assert torch.equal(encoder(pixels(), return_dict=False)[0], states)
    assert encoder.main_input_name == "pixel_values"


def test_images_do_not_see_their_batch(encoder):
    together = encoder(pixels()).last_hidden_state
    alone = torch.cat([encoder(image[None]).last_hidden_state for image in pixels()])
    assert torch.allclose(together, alone, atol=1e-5)
    assert not torch.allclose(together[0], together[1], atol=1e-3), "the images must differ for this to mean anything"


def test_early_and_late_make_the_whole(encoder):
    backbone = encoder.backbone
    assert torch.allclose(backbone.late(backbone.early(pixels(), 3), 3), backbone(pixels()), atol=1e-6)


@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize("stride", [1, 2])
def test_padding_is_tensorflows(side, stride):
    """ "SAME": the output has ceil(side / stride) cells, and an odd cell of padding goes to the right and below."""
    convolution = SameConv(2, 3, kernel=3, stride=stride, act=False)
    x = torch.rand(1, 2, side, side)
    total = max((-(-side // stride) - 1) * stride + 3 - side, 0)
    before, after = total // 2, total - total // 2
    padded = functional.pad(x, (before, after, before, after))
    expected = functional.conv2d(padded, convolution.weight, convolution.bias, stride)
    assert expected.shape[-1] == -(-side // stride)
    assert torch.allclose(convolution(x), expected, atol=1e-6)


def test_default_backbone_is_mobilenet_v2():
    backbone = Backbone(GridEncoderConfig())
    convolutions = [module for module in backbone.modules() if isinstance(module, SameConv)]
    assert len(convolutions) == 52
    assert sum(parameter.numel() for parameter in backbone.parameters()) == 2_206_816


def test_auto_classes_know_it(encoder, tmp_path):
    encoder.save_pretrained(tmp_path)
    assert isinstance(AutoConfig.from_pretrained(tmp_path), GridEncoderConfig)
    loaded = AutoModel.from_pretrained(tmp_path).eval()
    assert isinstance(loaded, GridEncoder)
    assert torch.equal(loaded(pixels()).last_hidden_state, encoder(pixels()).last_hidden_state)


def test_captioner_round_trip(captioner, tmp_path):
    captioner.save_pretrained(tmp_path)
    loaded = VisionEncoderDecoderModel.from_pretrained(tmp_path).eval()
    words = torch.tensor([[1, 5, 7]] * 3)
    before = captioner(pixel_values=pixels(), decoder_input_ids=words).logits
    assert torch.equal(loaded(pixel_values=pixels(), decoder_input_ids=words).logits, before)
    assert loaded.generation_config.num_beams == 3


@pytest.mark.parametrize("beams", [1, 3])
def test_generates(captioner, beams):
    ids = captioner.generate(pixels(), num_beams=beams)
    assert ids.shape[0] == 3 and 2 <= ids.shape[1] <= 9
    uncached = captioner.generate(pixels(), num_beams=beams, use_cache=False)
    assert torch.equal(ids, uncached)
