"""A whole Stable Diffusion 1.x or 2.x in one .safetensors file, as people pass it on."""
