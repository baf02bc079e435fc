"""The content of `release.json`: a release's files, models, gallery, decision rule, figures and origin.

Rules kept:
- unknown fields, names of files with a path in them and numbers that are not finite are refused;
- each model names its file, the preprocessing of its input and what it gives, so no model is fed as another one is;
- a newer format is refused with the mend, an older one is migrated (`manifest_migrations`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_runtime.core.decision import Calibrator, DecisionRule
from edge_runtime.core.images import Fit, Preprocessing
from edge_runtime.core.index import GRAPH_FILE, VECTORS_FILE
from edge_runtime.core.manifest_migrations import migrate
from edge_runtime.core.photo_limits import PhotoLimits
from edge_runtime.errors import ReleaseError

FORMAT = 5
MANIFEST_FILE = "release.json"
MODEL_FILE = "model.onnx"
LOCALISER_FILE = "localiser.onnx"
CATALOGUE_FILE = "catalogue.json"
THUMBNAILS_FILE = "thumbnails.zip"
ADDED_THUMBNAILS_FILE = "added_thumbnails.zip"
ENROLMENT_FILE = "enrolment.npz"
GOLDEN_IMAGES_FILE = "golden.zip"
GOLDEN_VECTORS_FILE = "golden.npy"
FILES_BESIDE_MODELS = (
    VECTORS_FILE,
    GRAPH_FILE,
    CATALOGUE_FILE,
    THUMBNAILS_FILE,
    GOLDEN_IMAGES_FILE,
    GOLDEN_VECTORS_FILE,
)
FILES = (MODEL_FILE, *FILES_BESIDE_MODELS)  # of a release without a localiser
MANIFEST_MAX_BYTES = 1024 * 1024


def _plain_name(name: str) -> str:
    if name in {"", ".", "..", MANIFEST_FILE} or any(sign in name for sign in "/\\\0") or name.startswith("."):
        raise ValueError(f"{name!r} is not a plain file name")
    return name


FileName = Annotated[str, AfterValidator(_plain_name)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Represent = Literal["exemplars", "prototype"]
NumericFormat = Literal["fp32", "fp16", "int8"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FileEntry(_Strict):
    """The content that a file of a release must have."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0)]


class PreprocessingEntry(_Strict):
    """The way from a photo to a model's input."""

    size: Annotated[int, Field(ge=8, le=4096)]
    fit: Fit

    def build(self) -> Preprocessing:
        """Return the preprocessing that does it."""
        return Preprocessing(self.size, self.fit)


class EmbeddingEntry(_Strict):
    """The model that embeds: uint8 [n, size, size, 3] in, float32 [n, dim] of unit length out.

    Attributes:
        file: its ONNX file.
        preprocessing: of its input.
        dim: numbers in one embedding.
        numeric_format: of its weights; None where nobody said.
    """

    file: FileName
    preprocessing: PreprocessingEntry
    dim: Annotated[int, Field(ge=1, le=65536)]
    numeric_format: NumericFormat | None = None


class LocaliserEntry(_Strict):
    """The model that finds things of any class: boxes and their objectness out, without non-maximum suppression.

    Attributes:
        file: its ONNX file.
        preprocessing: of its input.
        objectness: the least objectness of a box that counts.
        nms_iou: of two boxes that overlap by more (intersection over union), the one of less objectness is dropped.
        max_instances: boxes that are kept at most, those of the highest objectness.
    """

    file: FileName
    preprocessing: PreprocessingEntry
    objectness: Share
    nms_iou: Share
    max_instances: Annotated[int, Field(ge=1, le=10_000)]


class ModelEntries(_Strict):
    """The models of a release; `localiser` is None where a photo is one instance."""

    embedding: EmbeddingEntry
    localiser: LocaliserEntry | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the models' files."""
        if self.localiser is None:
            return (self.embedding.file,)
        return (self.embedding.file, self.localiser.file)


class GalleryEntry(_Strict):
    """The enrolment settings; None where the release does not say.

    Attributes:
        represent: whether the gallery holds every enrolled photo, or one mean embedding a class.
        photos_per_class: photos of a class that were enrolled at most.
        splits: the splits of the dataset version whose classes were enrolled.
        unknown_classes: whether the classes that were held out as unknowns were enrolled too.
        class_offsets: whether the catalogue states what is taken off each class's cosines.
    """

    represent: Represent
    photos_per_class: Annotated[int, Field(ge=1)] | None = None
    splits: tuple[str, ...] | None = None
    unknown_classes: bool = False
    class_offsets: bool = False


class IndexEntry(_Strict):
    """The settings that the graph was built with and is searched with."""

    m: Annotated[int, Field(ge=2, le=1024)]
    ef_construction: Annotated[int, Field(ge=1, le=100_000)]
    ef_search: Annotated[int, Field(ge=1, le=100_000)]


class DecisionEntry(_Strict):
    """The calibrated decision rule."""

    threshold: Finite
    margin: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    fpir: Annotated[float, Field(ge=0, le=1)]
    least_probability: Share = 0.0

    def build(self) -> DecisionRule:
        """Return the rule that decides."""
        return DecisionRule(**self.model_dump())


class CalibrationEntry(_Strict):
    """The logistic calibrator: the log-odds that the best class is right, by its score and margin."""

    score: Finite
    margin: Finite
    intercept: Finite

    def build(self) -> Calibrator:
        """Return the calibrator that states probabilities."""
        return Calibrator(**self.model_dump())


class PhotoLimitsEntry(_Strict):
    """The limits of a photo that can be used, as `PhotoLimits` says; None where the model's answers set none."""

    least_side: Annotated[int, Field(ge=1)] | None = None
    least_brightness: Share | None = None
    most_white: Share | None = None
    least_sharpness: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None

    def build(self) -> PhotoLimits:
        """Return the limits that photos are compared with."""
        return PhotoLimits(**self.model_dump())


class Counts(BaseModel):
    """Sizes: of the catalogue, of the gallery, of the golden images. Further counts may stand beside them.

    Attributes:
        classes: classes that are enrolled.
        gallery: rows of the gallery.
        golden: golden images.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    __pydantic_extra__: dict[str, Annotated[int, Field(ge=0)]] = Field(init=False)

    classes: Annotated[int, Field(ge=1)]
    gallery: Annotated[int, Field(ge=1)]
    golden: Annotated[int, Field(ge=1)]


class Lineage(_Strict):
    """The origin of a release; what is not known is None.

    Attributes:
        dataset_version: id of the dataset version that it was trained, calibrated and measured on.
        git_commit: of the code; ends in `+` where files were changed.
        pipeline_run: name of the run.
        mlflow_run: id of the run.
        numeric_format: the reason for the numeric format of the model.
        enrolled_into: id of the release whose classes an enrolment changed; None for one that came from a training.
    """

    dataset_version: str | None = None
    git_commit: str | None = None
    pipeline_run: str | None = None
    mlflow_run: str | None = None
    numeric_format: str | None = None
    enrolled_into: str | None = None


class ReleaseManifest(_Strict):
    """The content of `release.json`.

    Attributes:
        calibration: None where no probability could be fitted.
        photo_limits: None where every photo is answered.
        gallery: None where a release made by format 1 does not say how it enrolled.
        enrolment: the file `enrolment.npz`, which whoever enrols needs and no device fetches; None where there is none.
    """

    format: Literal[5]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    created: AwareDatetime
    files: Mapping[FileName, FileEntry]
    models: ModelEntries
    gallery: GalleryEntry | None = None
    index: IndexEntry
    decision: DecisionEntry
    calibration: CalibrationEntry | None = None
    photo_limits: PhotoLimitsEntry | None = None
    counts: Counts
    metrics: Mapping[str, Finite]
    lineage: Lineage
    enrolment: FileEntry | None = None

    @property
    def total_bytes(self) -> int:
        """All files that a device has of it."""
        return sum(entry.bytes for entry in self.files.values())

    @property
    def published_files(self) -> Mapping[str, FileEntry]:
        """The files that a repository holds: those of a device, and what enrolment needs."""
        return self.files if self.enrolment is None else {**self.files, ENROLMENT_FILE: self.enrolment}

    @property
    def represent(self) -> Represent | None:
        """The representation of a class in the gallery; None where nobody said."""
        return None if self.gallery is None else self.gallery.represent

    @model_validator(mode="after")
    def _each_model_has_a_file_of_its_own(self) -> ReleaseManifest:
        names = [*self.models.files, *FILES_BESIDE_MODELS]
        for name in self.models.files:
            if names.count(name) > 1:
                raise ValueError(f"models: {name} is another file of the release")
        return self

    @model_validator(mode="after")
    def _a_least_probability_has_a_calibrator(self) -> ReleaseManifest:
        if self.decision.least_probability > 0 and self.calibration is None:
            raise ValueError("decision.least_probability is stated, and no calibrator states a probability")
        return self


def parse_manifest(data: bytes, where: str = MANIFEST_FILE) -> ReleaseManifest:
    """Read the bytes of a `release.json` of any format; `where` names them in errors.

    Raises:
        ReleaseError: they are not a manifest of a format that is known here.
    """
    try:
        content = json.loads(data)
        stated = content["format"]
    except (ValueError, RecursionError, TypeError, KeyError):
        raise ReleaseError(f"{where} is not a release manifest: pull the release again.") from None
    if isinstance(stated, int) and stated > FORMAT:
        raise ReleaseError(
            f"{where} has release format {stated}, and this program reads up to {FORMAT}: update discern-edge."
        )
    try:
        manifest = ReleaseManifest.model_validate_json(json.dumps(migrate(content)))
    except (ValueError, RecursionError) as error:
        problem = first_problem(error)
        raise ReleaseError(f"{where} is not a valid manifest ({problem}): pull the release again.") from None
    missing = sorted({*manifest.models.files, *FILES_BESIDE_MODELS} - set(manifest.files))
    if missing:
        raise ReleaseError(f"{where} does not list {missing[0]}: build the release again.")
    return manifest


def first_problem(error: Exception) -> str:
    """Return the first thing that a validation complains about, with the field that it is in."""
    if not isinstance(error, ValidationError):
        return str(error) or type(error).__name__
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in problem['loc']) or 'content'}: {problem['msg']}"
