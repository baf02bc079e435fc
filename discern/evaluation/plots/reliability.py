"""The reliability plot: stated probability against observed share, and how many queries stand behind each bin."""

from __future__ import annotations

from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from discern.evaluation.reliability import Reliability

SIZE = (5.4, 6.4)  # inches
DPI = 120
BAR, POINT, MUTED = "#9db4d0", "#1f3a5f", "#6e7278"


def reliability_picture(bins: Reliability, heading: str) -> Image.Image:
    """Draw the observed share of each bin with its 95 % interval beside the diagonal, and the counts below."""
    # A figure of its own, not pyplot's: nothing is kept, and no window system is asked for.
    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _draw_shares(above, bins)
    _draw_counts(below, bins)
    figures = f"expected calibration error {bins.expected_calibration_error:.3f}, Brier score {bins.brier_score:.3f}"
    above.set_title(f"{heading}\n{figures}", loc="left", fontsize=10, parse_math=False)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return Image.open(buffer).convert("RGB")


def _draw_shares(axes: Axes, bins: Reliability) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linestyle="--", linewidth=1, label="means what it says")
    filled = [(entry.predicted, entry.observed) for entry in bins.bins]
    points = [(predicted, rate) for predicted, rate in filled if predicted is not None and rate is not None]
    axes.errorbar(
        [predicted for predicted, _ in points],
        [rate.value for _, rate in points],
        yerr=[[rate.value - rate.low for _, rate in points], [rate.high - rate.value for _, rate in points]],
        color=POINT,
        fmt="o",
        markersize=5,
        capsize=3,
        label="observed, with its 95 % interval",
    )
    axes.set(ylabel="share of right answers", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.legend(loc="best", fontsize=8, frameon=False)


def _draw_counts(axes: Axes, bins: Reliability) -> None:
    counts = [entry.queries for entry in bins.bins]
    bars = axes.bar([entry.low for entry in bins.bins], counts, 1 / len(counts), align="edge", color=BAR, ec="white")
    axes.bar_label(bars, [str(count or "") for count in counts], fontsize=7, color=MUTED)
    axes.margins(y=0.2)
    axes.set(xlabel="stated probability", ylabel="queries")
