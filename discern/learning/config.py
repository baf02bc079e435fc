"""Configs of models and trainings, with their limits. Each stands in the YAML of its use case."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from edge_runtime.core.images import Fit, Preprocessing

Symmetries = Literal["none", "rotations", "dihedral"]


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ImageConfig(_Config):
    """The preprocessing that turns a photo into the model's input; it travels with the model."""

    size: int = Field(ge=16, le=1024, description="side of the square input, pixels")
    fit: Fit = Field(default="letterbox", description="keep the aspect ratio and pad with grey, or stretch")

    @property
    def preprocessing(self) -> Preprocessing:
        """The device's own preprocessing with these settings."""
        return Preprocessing(self.size, self.fit)


class ModelConfig(_Config):
    """A timm backbone with an embedding head."""

    backbone: str = Field(description="name of a timm model")
    options: dict[str, Any] = Field(default_factory=dict, description="further arguments of timm.create_model")
    embedding_dim: int = Field(default=128, ge=8, le=2048, description="numbers in an embedding")
    stem: Literal["standard", "small"] = Field(
        default="standard", description="small: halve the stem's stride, for inputs under about 128 px"
    )
    pretrained: bool = Field(default=False, description="fetch timm's weights from their hub")
    weights: str | None = Field(
        default=None,
        description="path or s3:// URL of a state dict, saved by torch.save or as .safetensors: of a model that was "
        "trained here, its head included, or timm's of the backbone; or package:NAME, of discern[weights]",
    )
    normalisation: Literal["imagenet", "backbone"] | None = Field(
        default=None,
        description="mean and deviation that the input is normalised by: ImageNet's, or those of timm's weights of the "
        "backbone; without it the backbone's where `pretrained` is set or `weights` names a package, else ImageNet's",
    )

    @property
    def stated_normalisation(self) -> Literal["imagenet", "backbone"]:
        """The normalisation that follows where none is set."""
        if self.normalisation is not None:
            return self.normalisation
        from_timm = self.pretrained or (self.weights or "").startswith("package:")
        return "backbone" if from_timm else "imagenet"


# How much the cameras of `camera: 1` differ.
FULL_CAMERA = {
    "white_balance": 50.0,
    "exposure": 0.7,
    "gamma": 0.25,
    "sensor_noise": 0.08,
    "resolution": 0.6,
    "jpeg": 0.6,
}


class AugmentConfig(_Config):
    """Random changes to a photo in training. A range r means uniform in [-r, r], or [1 - r, 1 + r] for factors."""

    rotation: float = Field(default=180.0, ge=0, le=180, description="degrees")
    scale: float = Field(default=0.15, ge=0, lt=1, description="factor of the size")
    shift: float = Field(default=0.06, ge=0, le=0.5, description="of the side")
    perspective: float = Field(default=0.1, ge=0, le=0.5, description="tilt: how much larger one side is seen")
    shear: float = Field(default=0.0, ge=0, lt=1, description="sideways, of the height")
    stretch: float = Field(default=0.0, ge=0, lt=1, description="of width and height, each by itself")
    elastic: float = Field(default=0.0, ge=0, le=0.5, description="standard deviation of a smooth bend, of half a side")
    flip: bool = Field(default=False, description="mirror; wrong for what bears text")
    brightness: float = Field(default=0.25, ge=0, lt=1, description="factor of every pixel")
    contrast: float = Field(default=0.2, ge=0, lt=1, description="factor of the distance from the mean")
    saturation: float = Field(default=0.2, ge=0, lt=1, description="factor of the distance from grey")
    colour_cast: float = Field(default=0.06, ge=0, lt=1, description="gain of each channel")
    blur: float = Field(default=0.2, ge=0, le=1, description="share of photos that are blurred")
    noise: float = Field(default=0.02, ge=0, le=0.5, description="standard deviation, of full scale")
    erase: float = Field(default=0.2, ge=0, le=1, description="share of photos that lose a rectangle")
    camera: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="every photo by another camera: the six keys below are at least this share of "
        + ", ".join(f"{key} {value:g}" for key, value in FULL_CAMERA.items()),
    )
    white_balance: float = Field(
        default=0.0, ge=0, le=100, description="error of the colour temperature, mired, with a tint to green or magenta"
    )
    exposure: float = Field(default=0.0, ge=0, le=3, description="stops; what is too light clips")
    gamma: float = Field(default=0.0, ge=0, lt=1, description="factor of the exponent of the tone curve")
    sensor_noise: float = Field(
        default=0.0, ge=0, le=0.5, description="largest standard deviation at full light, which grows with the light"
    )
    resolution: float = Field(
        default=0.0, ge=0, le=1, description="share of photos with fewer pixels, down to a third of the side"
    )
    jpeg: float = Field(
        default=0.0, ge=0, le=1, description="share of photos compressed as JPEG, quality 20 to 80, by the CPU"
    )

    def with_camera(self) -> AugmentConfig:
        """Return the config with the keys that `camera` stands for raised to its share of `FULL_CAMERA`."""
        least = {key: max(getattr(self, key), self.camera * value) for key, value in FULL_CAMERA.items()}
        return self.model_copy(update=least)


class NamedPart(_Config):
    """A part of pytorch-metric-learning by its class name, with its arguments and, where it takes one, its distance."""

    name: str = Field(description="name of the class")
    parameters: dict[str, Any] = Field(default_factory=dict, description="its arguments")
    distance: NamedPart | None = Field(default=None, description="what it measures likeness by")


class DistillConfig(_Config):
    """The loss by which a student follows its teacher's embeddings: weights of its terms."""

    cosine: float = Field(default=5.0, ge=0, description="1 - the cosine between student and teacher")
    similarity: float = Field(default=1.0, ge=0, description="KL divergence between rows of batch similarities")
    temperature: float = Field(default=0.1, gt=0, description="of the softmax over similarities, no weight")
    metric: float = Field(default=0.0, ge=0, description="the student's own loss on the labels; 0: it sees no label")
    teacher_sees: Literal["photo", "view"] = Field(
        default="photo",
        description="photo: the teacher embeds every photo once, as it is; view: at every step, what the student sees",
    )


class LoopConfig(_Config):
    """The length and the steps of a training, whatever its task."""

    steps: int = Field(ge=1, description="batches to learn from")
    learning_rate: float = Field(default=2e-3, gt=0, description="the highest one: it rises in the warm-up, then falls")
    loss_learning_rate: float = Field(default=2e-2, gt=0, description="of the loss's own parameters, such as proxies")
    weight_decay: float = Field(default=0.05, ge=0, description="of AdamW (Loshchilov and Hutter, ICLR 2019)")
    warmup: float = Field(default=0.1, ge=0, lt=1, description="share of the steps")
    ema_decay: float = Field(
        default=0.99, ge=0, lt=1, description="of the moving average of the weights, which is the model that comes out"
    )
    clip_norm: float = Field(default=5.0, gt=0, description="longest gradient; a longer one is shortened to it")
    validate_every: int = Field(default=0, ge=0, description="steps; 0: at the end alone")
    patience: int = Field(
        default=0,
        ge=0,
        description="stop after so many validations without a better figure, and take the best model; 0: neither",
    )
    checkpoint_every: int = Field(default=200, ge=1, description="steps")
    device: Literal["auto", "cpu", "gpu"] = Field(default="auto", description="auto: a GPU where there is one")
    processes: int = Field(
        default=1, ge=1, description="train as one, each on a batch of its own; where GPUs are used, each has one"
    )
    mixed_precision: Literal["auto", "no", "fp16", "bf16"] = Field(
        default="auto",
        description="auto: bf16 where the processor computes with it, but for depthwise nets on a CPU, else fp16 on a "
        "GPU, else no",
    )
    seed: int = Field(default=0, ge=0, lt=2**32, description="of first weights, batches and augmentation")

    @model_validator(mode="after")
    def _can_stop(self) -> LoopConfig:
        if self.patience and not self.validate_every:
            raise ValueError("`patience` counts validations: say by `validate_every` after how many steps there is one")
        return self


class TrainingConfig(LoopConfig):
    """The training of one embedder, on batches of P classes x K photos."""

    model: ModelConfig = Field(description="the net")
    loss: NamedPart = Field(
        default=NamedPart(name="SupConLoss", parameters={"temperature": 0.1}),
        description="what is minimised on the labels",
    )
    miner: NamedPart | None = Field(default=None, description="what picks the pairs or triplets that the loss sees")
    classes_per_batch: int = Field(
        default=24, ge=2, description="P of a P x K batch; where fewer classes train, a batch takes all of them"
    )
    photos_per_class: int = Field(default=4, ge=2, description="K of a P x K batch")
    lookalikes: float = Field(
        default=0.0, ge=0, lt=1, description="share of a batch's classes that are drawn for being near the others"
    )
    symmetries: Symmetries = Field(
        default="none", description="count every class turned by quarters, and perhaps mirrored, as further classes"
    )
    least_rank: float = Field(
        default=1.2, ge=1, description="effective rank of a batch's embeddings under which they count as collapsed"
    )
    augment: AugmentConfig = Field(default=AugmentConfig(), description="how photos are changed at random")


class EmbedderConfig(_Config):
    """A model that nothing trains: its weights stay as they are, and where they bring no head, one is fitted.

    `teacher: none` and a `student` that says its `model` alone ask for it.
    """

    model: ModelConfig = Field(description="the net, and where its weights come from")


def _kind_of_teacher(value: Any) -> str:
    return "none" if isinstance(value, str) else "trained"


def _kind_of_student(value: Any) -> str:
    is_model_alone = isinstance(value, dict) and value.keys() <= EmbedderConfig.model_fields.keys()
    return "untrained" if is_model_alone or isinstance(value, EmbedderConfig) else "trained"


# Told apart by what is written, so that a message is about the one that was meant.
TeacherConfig = Annotated[
    Annotated[TrainingConfig, Tag("trained")] | Annotated[Literal["none"], Tag("none")],
    Discriminator(_kind_of_teacher),
]
StudentConfig = Annotated[
    Annotated[TrainingConfig, Tag("trained")] | Annotated[EmbedderConfig, Tag("untrained")],
    Discriminator(_kind_of_student),
]
