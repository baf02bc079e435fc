"""The settings by which a trained student becomes a release."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from discern.evaluation.numeric_format import NumericFormatConfig


class PackagingConfig(BaseModel):
    """Settings that turn a trained student into a release."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fpir: float = Field(default=0.05, gt=0, lt=1, description="false-identification rate the threshold is fitted for")
    elsewhere: str = Field(
        default="auto",
        description="photos of other things that the rule must refuse as well: `built-in` ones (rendered things and "
        "noise), those of a folder or zip (path or s3:// URL), `none`; `auto`: the built-in ones where fewer than 20 "
        "classes can be asked as unknowns",
    )
    least_probability: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="below this stated probability an answer is `look_closely` in place of a name; 0: no bound",
    )
    golden_images: int = Field(default=8, ge=1, le=64, description="images whose embeddings every device reproduces")
    numeric_format: NumericFormatConfig = Field(
        default=NumericFormatConfig(), description="what may ship in place of fp32"
    )
