"""Named sets of UNet modules that an adapter may change, as regular expressions for peft."""

from __future__ import annotations

__all__ = ["TARGETS", "TEXT_TARGETS", "target_pattern"]

_PROJECTIONS = r"to_(q|k|v|out\.0)"

TARGETS = {
    # The projections of self- and cross-attention: the usual LoRA of Stable Diffusion.
    "attention": rf".*attn[12]\.{_PROJECTIONS}",
    "self_attention": rf".*attn1\.{_PROJECTIONS}",
    "cross_attention": rf".*attn2\.{_PROJECTIONS}",
    # Every linear layer of the transformer blocks.
    "transformer": rf".*(attn[12]\.{_PROJECTIONS}|ff\.net\.0\.proj|ff\.net\.2|proj_in|proj_out)",
    # ... and the convolutions of the residual blocks and samplers ("LoCon", LyCORIS).
    "all": (
        rf".*(attn[12]\.{_PROJECTIONS}|ff\.net\.0\.proj|ff\.net\.2|proj_in|proj_out"
        r"|conv1|conv2|conv_shortcut|samplers\.0\.conv)"
    ),
}

TEXT_TARGETS = r".*self_attn\.(q_proj|k_proj|v_proj|out_proj)"


def target_pattern(targets: str) -> str:
    """Return the regular expression of a named set, or `targets` itself."""
    return TARGETS.get(targets, targets)
