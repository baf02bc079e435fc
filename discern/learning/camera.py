"""Random cameras: a batch of photos as others would have taken them, each photo by one of its own.

The order is that of light through a camera: pixels of the sensor, colour and strength of the light with the sensor's
noise, tone curve, JPEG. What is not asked for draws no random number and costs no time.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Generator, Tensor

from discern.learning.config import AugmentConfig
from edge_runtime.core.images import decode, encode_jpeg

# Logarithms of the gains of 100 mired in linear light, relative to green: along the Planckian locus at 6500 K, in the
# primaries of sRGB (the locus as Kim et al. approximate it, US patent 7,024,034), and across it.
TEMPERATURE = (0.37, 0.0, -0.60)
TINT = (0.0, 0.15, 0.0)
READ_NOISE = 0.02  # the light whose variance the noise of a black pixel has, of full scale
LEAST_RESOLUTION = 1 / 3
QUALITIES = (20, 80)


def photograph(images: Tensor, config: AugmentConfig, generator: Generator) -> Tensor:
    """Take every photo again by a camera of its own.

    Args:
        images: [n, 3, H, W] in [0, 1].
        config: how much cameras differ; `camera` and the keys that it stands for.
        generator: the source of all randomness, on the images' device.

    Returns:
        [n, 3, H, W] in [0, 1].
    """
    config = config.with_camera()
    if config.resolution:
        images = _lower_resolution(images, config.resolution, generator)
    if config.white_balance or config.exposure or config.sensor_noise:
        images = _expose(images, config, generator)
    if config.gamma:
        images = images ** (1 + _spread(images, generator) * config.gamma)
    if config.jpeg:
        images = _compress_some(images, config.jpeg, generator)
    return images


def _lower_resolution(images: Tensor, share: float, generator: Generator) -> Tensor:
    """Shrink a share of `images` and stretch them back; one matrix for the rows and one for the columns of each."""
    chosen, extent = torch.rand(2, len(images), generator=generator, device=images.device)
    factor = torch.where(chosen < share, 1 - extent * (1 - LEAST_RESOLUTION), 1.0)
    height, width = images.shape[2:]
    return (_resampling(height, factor) @ images @ _resampling(width, factor).mT).clamp(0, 1)  # but for rounding, it is


def _resampling(side: int, factor: Tensor) -> Tensor:
    """Make the matrices that shrink `side` pixels to the share `factor` [n] of them and stretch them back.

    Both ways by triangles, as Pillow's BILINEAR; at 1 nothing changes.

    Returns:
        [n, 1, side, side]
    """
    cells = (side * factor).round().view(-1, 1, 1, 1)
    step = side / cells
    number = torch.arange(side, device=factor.device)
    middle = number + 0.5
    shrink = (1 - (middle - middle[:, None] * step).abs() / step).clamp(min=0)  # [n, 1, cell, pixel]
    shrink = shrink / shrink.sum(-1, keepdim=True).clamp(min=1e-6)  # cells beyond the last see nothing
    place = torch.minimum((middle[:, None] / step - 0.5).clamp(min=0), cells - 1)
    stretch = (1 - (place - number).abs()).clamp(min=0)  # [n, 1, pixel, cell]
    return stretch @ shrink


def _expose(images: Tensor, config: AugmentConfig, generator: Generator) -> Tensor:
    """Change colour and strength of the light, let it clip, and add the noise of its photons and of the sensor.

    A square stands for sRGB's curve, and Gaussian noise of the light's variance for Poisson's.
    """
    light = images.square()
    if config.white_balance:
        slopes = torch.tensor([TEMPERATURE, TINT], device=images.device)
        errors = _spread(images, generator, 2).view(-1, 2) * (config.white_balance / 100)
        light = light * torch.exp(errors @ slopes).view(-1, 3, 1, 1)
    if config.exposure:
        light = light * 2 ** (_spread(images, generator) * config.exposure)
    if config.sensor_noise:
        deviation = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device) * config.sensor_noise
        noise = torch.randn(images.shape, generator=generator, device=images.device)
        light = light + noise * deviation * (light + READ_NOISE).sqrt()
    return light.clamp(0, 1).sqrt()


def _compress_some(images: Tensor, share: float, generator: Generator) -> Tensor:
    """Write and read a share of `images` as JPEG of a random quality, on the CPU."""
    chosen, extent = torch.rand(2, len(images), generator=generator, device=images.device).cpu()
    low, high = QUALITIES
    qualities = (low + extent * (high - low)).round().int().tolist()
    rows = (chosen < share).nonzero().view(-1).tolist()
    if not rows:
        return images
    pixels = (images[rows] * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    read = [decode(encode_jpeg(photo, qualities[row])) for row, photo in zip(rows, pixels, strict=True)]
    compressed = images.clone()
    compressed[rows] = torch.from_numpy(np.stack(read)).to(images.device).permute(0, 3, 1, 2) / 255
    return compressed


def _spread(images: Tensor, generator: Generator, numbers: int = 1) -> Tensor:
    """Draw uniform numbers in [-1, 1), [n, numbers, 1, 1]."""
    return torch.rand(len(images), numbers, 1, 1, generator=generator, device=images.device) * 2 - 1
