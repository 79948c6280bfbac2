"""The tokenizer and the text encoder: CLIP's classes at toy size, trained on the captions."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

__all__ = ["MAX_PIECES", "TEXT_WIDTH", "build_text_encoder", "tokenise", "train_tokenizer"]

MAX_PIECES = 24
TEXT_WIDTH = 192
START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"
# CLIP's way of cutting text into words: letters, single digits, runs of anything else.
_WORDS = r"<\|startoftext\|>|<\|endoftext\|>|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def train_tokenizer(captions: Iterable[str], *, pieces: int = 3000) -> CLIPTokenizer:
    """Train a byte-pair encoding in CLIP's style.

    Every byte is a piece of its own, alone and at the end of a word, so any trigger word can be
    spelt and none becomes unknown.

    Args:
        captions: The training captions.
        pieces: Upper bound of the vocabulary, without the bytes at word ends.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(unk_token=END, end_of_word_suffix=WORD_END))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=pieces,
        special_tokens=[START, END],
        end_of_word_suffix=WORD_END,
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator(captions, trainer)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tokenizer.model.save(str(folder))
        vocabulary = json.loads((folder / "vocab.json").read_text())
        for byte in alphabet:
            vocabulary.setdefault(byte + WORD_END, len(vocabulary))
        (folder / "vocab.json").write_text(json.dumps(vocabulary))
        return CLIPTokenizer.from_pretrained(
            folder, model_max_length=MAX_PIECES, pad_token=END, unk_token=END
        )


def tokenise(tokenizer: CLIPTokenizer, captions: Sequence[str]) -> Tensor:
    """Return piece numbers, padded or cut to `MAX_PIECES`: `(N, MAX_PIECES)` int64."""
    encoded = tokenizer(
        list(captions), padding="max_length", max_length=MAX_PIECES, truncation=True
    )
    return torch.tensor(encoded.input_ids, dtype=torch.int64)


def build_text_encoder(
    tokenizer: CLIPTokenizer, *, width: int = TEXT_WIDTH, layers: int = 3, seed: int = 0
) -> CLIPTextModel:
    """Return an untrained `CLIPTextModel` for the tokenizer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=width,
                intermediate_size=4 * width,
                num_hidden_layers=layers,
                num_attention_heads=max(1, width // 32),
                max_position_embeddings=MAX_PIECES,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )
