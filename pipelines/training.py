"""dataset version -> teacher -> student -> ONNX + index -> release candidate."""

from __future__ import annotations

from discern.evaluation.gallery import GalleryConfig
from discern.learning.config import DistillConfig, ImageConfig, TrainingConfig
from discern.learning.models import weights_fingerprint
from discern.releases.candidate import CandidateConfig
from pipelines.checked import checked_pipeline
from pipelines.lookup import newest_output
from steps.training.candidate import assemble
from steps.training.models import distil, teach
from steps.training.register import register


@checked_pipeline
def training_pipeline(
    use_case: str,
    image: ImageConfig,
    teacher: TrainingConfig,
    student: TrainingConfig,
    distillation: DistillConfig = DistillConfig(),
    gallery: GalleryConfig = GalleryConfig(),
    candidate: CandidateConfig = CandidateConfig(),
) -> None:
    """Train on the newest dataset version of `use_case` in the active stack's store."""
    dataset = newest_output("data_pipeline", "dataset_version", use_case)
    taught = teach(dataset=dataset, image=image, config=teacher, weights=weights_fingerprint(teacher.model))
    light = distil(
        dataset=dataset,
        teacher=taught,
        image=image,
        config=student,
        distillation=distillation,
        weights=weights_fingerprint(student.model),
    )
    release, metrics = assemble(
        dataset=dataset, student=light, use_case=use_case, image=image, gallery=gallery, candidate=candidate
    )
    register(candidate=release, metrics=metrics, use_case=use_case)
