"""Random changes to a batch of photos, as tensor functions: one call a batch, another change for every photo.

The whole batch is changed on the device that trains, which makes the model, not the data, the bottleneck.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

from discern.learning.camera import photograph
from discern.learning.config import AugmentConfig

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
BEND_KNOTS = (4, 4)


def augment(photos: Tensor, config: AugmentConfig, generator: Generator) -> Tensor:
    """Change every photo in its own way.

    Args:
        photos: [n, H, W, 3] uint8.
        config: how strongly.
        generator: the source of all randomness, on the photos' device.

    Returns:
        [n, 3, H, W] float in [0, 1].
    """
    images = to_float(photos)
    images = warp(images, config, generator)
    images = recolour(images, config, generator)
    images = _blur_some(images, config.blur, generator)
    if config.noise:
        noise = torch.randn(images.shape, generator=generator, device=images.device)
        images = images + noise * config.noise * _uniform(images, generator, 0.0, 1.0)
    images = _erase_some(images.clamp_(0, 1), config.erase, generator)
    return photograph(images, config, generator)  # it draws last: its keys leave the draws of all others as they are


def to_float(photos: Tensor) -> Tensor:
    """[n, H, W, 3] uint8 to [n, 3, H, W] float in [0, 1], channels last in memory."""
    return photos.permute(0, 3, 1, 2).float().div_(255)


def warp(images: Tensor, config: AugmentConfig, generator: Generator) -> Tensor:
    """Rotate, scale, shift, tilt, shear, stretch and perhaps mirror `images` [n, 3, H, W] by a projective map each.

    A smooth bend may come on top: displacements drawn on a 4 x 4 grid and interpolated (after Simard et al., ICDAR
    2003, who smooth a field that is drawn for every pixel).
    """
    n = len(images)
    angle = _spread(n, math.radians(config.rotation), images, generator)
    zoom = 1 + _spread(n, config.scale, images, generator)
    cos, sin = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    if config.flip:
        mirror = torch.where(torch.rand(n, generator=generator, device=images.device) < 0.5, -1.0, 1.0)
    else:
        mirror = torch.ones_like(cos)
    shift_x, shift_y = (_spread(n, 2 * config.shift, images, generator) for _ in range(2))
    tilt_x, tilt_y = (_spread(n, config.perspective, images, generator) for _ in range(2))
    rows = [cos * mirror, -sin, shift_x, sin * mirror, cos, shift_y, tilt_x, tilt_y, torch.ones_like(cos)]
    maps = torch.stack(rows, 1).view(n, 3, 3)
    if config.shear or config.stretch:
        maps = maps @ _shear_and_stretch(n, config, images, generator)
    points = _grid(images) @ maps.transpose(1, 2)
    grid = (points[..., :2] / points[..., 2:]).view(n, *images.shape[2:], 2)
    if config.elastic:
        knots = torch.randn(n, 2, *BEND_KNOTS, generator=generator, device=images.device) * config.elastic
        bend = functional.interpolate(knots, size=images.shape[2:], mode="bicubic", align_corners=True)
        grid = grid + bend.permute(0, 2, 3, 1)
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def _shear_and_stretch(n: int, config: AugmentConfig, like: Tensor, generator: Generator) -> Tensor:
    width, height = (1 / (1 + _spread(n, config.stretch, like, generator)) for _ in range(2))
    shear = _spread(n, config.shear, like, generator)
    zero, unit = torch.zeros_like(width), torch.ones_like(width)
    rows = [width, shear, zero, zero, height, zero, zero, zero, unit]
    return torch.stack(rows, 1).view(n, 3, 3)


def recolour(images: Tensor, config: AugmentConfig, generator: Generator) -> Tensor:
    """Change brightness, contrast, saturation and the gain of each channel of `images` [n, 3, H, W]."""
    brightness = _uniform(images, generator, 1 - config.brightness, 1 + config.brightness)
    contrast = _uniform(images, generator, 1 - config.contrast, 1 + config.contrast)
    saturation = _uniform(images, generator, 1 - config.saturation, 1 + config.saturation)
    cast = _uniform(images, generator, 1 - config.colour_cast, 1 + config.colour_cast, channels=3)
    luma = torch.tensor(LUMA, device=images.device).view(1, 3, 1, 1)
    grey = (images * luma).sum(1, keepdim=True)
    images = torch.lerp(grey.expand_as(images), images, saturation)
    mean = grey.mean((2, 3), keepdim=True)
    return ((images - mean) * contrast + mean) * brightness * cast


def _blur_some(images: Tensor, share: float, generator: Generator) -> Tensor:
    """A binomial 5 x 5 kernel stands in for defocus."""
    chosen = torch.rand(len(images), generator=generator, device=images.device) < share
    if not chosen.any():
        return images
    row = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], device=images.device) / 16
    kernel = torch.outer(row, row).expand(3, 1, 5, 5)
    padded = functional.pad(images[chosen], (2, 2, 2, 2), mode="reflect")
    blurred = images.clone()
    blurred[chosen] = functional.conv2d(padded, kernel, groups=3)
    return blurred


def _erase_some(images: Tensor, share: float, generator: Generator) -> Tensor:
    """Paint a rectangle of at most two fifths of the side in a grey of its own over some of `images`."""
    n, _, height, width = images.shape
    draw = torch.rand(n, 6, generator=generator, device=images.device)
    half_y, half_x = 0.05 + 0.15 * draw[:, 0], 0.05 + 0.15 * draw[:, 1]
    y = (torch.arange(height, device=images.device) + 0.5) / height
    x = (torch.arange(width, device=images.device) + 0.5) / width
    inside_y = (y[None] - draw[:, 2:3]).abs() < half_y[:, None]
    inside_x = (x[None] - draw[:, 3:4]).abs() < half_x[:, None]
    hit = inside_y[:, None, :, None] & inside_x[:, None, None, :] & (draw[:, 4] < share)[:, None, None, None]
    return torch.where(hit, draw[:, 5].view(n, 1, 1, 1), images)


def _grid(images: Tensor) -> Tensor:
    """Homogeneous coordinates of the pixel centres of `images`, [H * W, 3], in [-1, 1]."""
    height, width = images.shape[2:]
    y = (torch.arange(height, device=images.device) + 0.5) * (2 / height) - 1
    x = (torch.arange(width, device=images.device) + 0.5) * (2 / width) - 1
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([grid_x, grid_y, torch.ones_like(grid_x)], -1).view(-1, 3)


def _spread(n: int, reach: float, like: Tensor, generator: Generator) -> Tensor:
    return (torch.rand(n, generator=generator, device=like.device) * 2 - 1) * reach


def _uniform(images: Tensor, generator: Generator, low: float, high: float, channels: int = 1) -> Tensor:
    draw = torch.rand(len(images), channels, 1, 1, generator=generator, device=images.device)
    return low + (high - low) * draw
