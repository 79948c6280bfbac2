"""Drift and binding of a real adapter on a toy model."""

import pytest
import torch

from lab.experiment.schema import AdapterConfig
from lab.method.lora import Lora
from lab.model.resident import Base
from lab.probe.bank import bank_images
from lab.run.instruments import measure_binding, measure_drift
from lab.train.examples import TrainingSet

PROMPTS = [("trigger", "monster"), ("near", "dog"), ("again", "monster")]


def shaken(adapter: Lora, strength: float) -> Lora:
    """Set an adapter to random values: as if trained."""
    generator = torch.Generator().manual_seed(3)
    adapter.load_state(
        {
            name: strength * torch.randn(value.shape, generator=generator)
            for name, value in sorted(adapter.state().items())
        }
    )
    return adapter


@pytest.mark.parametrize("text_encoder", [False, True])
def test_drift_is_zero_at_first_and_grows_with_the_adapter(base: Base, text_encoder: bool) -> None:
    with Lora(base, AdapterConfig(text_encoder=text_encoder), 0) as adapter:
        fresh = measure_drift(adapter, PROMPTS, 16)
        weak = measure_drift(shaken(adapter, 0.05), PROMPTS, 16)
        strong = measure_drift(shaken(adapter, 0.1), PROMPTS, 16)
        again = measure_drift(adapter, PROMPTS, 16)
    assert len(fresh) == 3 * 8
    assert fresh["drift"].max() == pytest.approx(0, abs=1e-9)
    assert (strong["drift"] > weak["drift"]).all()
    assert weak["drift"].min() > 0
    assert again.equals(strong)
    trigger, repeated = (strong[strong["prompt_set"] == name] for name in ("trigger", "again"))
    assert trigger["drift"].to_list() == repeated["drift"].to_list()


def test_binding_compares_every_caption_with_every_other(base: Base) -> None:
    captions = ["red monster", "green monster", "red monster"]
    posteriors = list(base.encode_images(bank_images(3, 16)))
    instances = TrainingSet(posteriors, captions, [1, 1, 1])
    with Lora(base, AdapterConfig(), 0) as adapter:
        fresh = measure_binding(adapter, instances)
        table = measure_binding(shaken(adapter, 0.2), instances)
        one = measure_binding(adapter, TrainingSet(posteriors[:1], captions[:1], [1]))
    assert fresh["binding"].abs().max() == pytest.approx(0, abs=1e-9)
    assert (fresh["loss_adapter"] == fresh["loss_base"]).all()
    own = table["caption"] == table["given"]
    assert (table.loc[own, "binding"] == 0).all()
    assert (table.loc[~own, "binding"] != 0).all()
    assert len(table) == 4
    assert one.empty
    assert list(one) == list(table)
