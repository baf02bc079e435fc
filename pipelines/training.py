"""dataset version -> teacher and student, a student, or a model as it is -> ONNX + index -> release candidate."""

from __future__ import annotations

import steps.training
from discern.evaluation.gallery import GalleryConfig
from discern.learning.config import (
    DistillConfig,
    EmbedderConfig,
    ImageConfig,
    StudentConfig,
    TeacherConfig,
    TrainingConfig,
)
from discern.learning.plan import Plan, check_plan
from discern.releases.config import PackagingConfig
from orchestration.artifact_lookup import earlier
from orchestration.checked_pipeline import checked_pipeline
from orchestration.version_names import VersionName, pinned


@checked_pipeline(steps=steps.training, is_tracked=True)
def training_pipeline(  # noqa: PLR0913, PLR0917  these are the keys of its YAML
    use_case: str,
    image: ImageConfig,
    teacher: TeacherConfig,
    student: StudentConfig,
    distillation: DistillConfig = DistillConfig(),
    gallery: GalleryConfig = GalleryConfig(),
    packaging: PackagingConfig = PackagingConfig(),
    dataset: VersionName | None = None,
    teacher_version: VersionName | None = None,
) -> None:
    """Train on a dataset version of `use_case` in the active stack's store.

    Args:
        use_case: whose version it is; later pipelines find the candidate by it.
        image: size of the photos as the models see them; the student and the release take it from the teacher.
        teacher: the teacher's model and training; or none: the student then learns from `teacher_version`, or from the
            labels alone.
        student: the student's; with `teacher: none` it may be its `model` alone, whose weights stay as they are.
        distillation: how it learns from the teacher.
        gallery: which photos are enrolled; it travels with the release, and promotion compares with it.
        packaging: calibration, numeric format and golden images of the release.
        dataset: id of the version, the first digits of it, or USE_CASE@N; in quotes, lest YAML takes it for a number.
            Without it, the newest one that passed its checks.
        teacher_version: number, in quotes, or id of an earlier artifact `teacher`, which the student then learns from
            again; no teacher is trained. One that was trained with another `image` is refused.
    """
    check_plan(teacher, student, teacher_version)
    # Imported here, for that takes seconds: a config is checked before.
    from steps.training.assemble import assemble
    from steps.training.check import check
    from steps.training.depict import depict
    from steps.training.distil import distil
    from steps.training.embedder import embedder
    from steps.training.fingerprint_weights import fingerprint_weights
    from steps.training.register import register
    from steps.training.teach import teach

    version = pinned(dataset, use_case)
    taught = None if teacher_version is None else earlier("teacher", teacher_version)
    to_teach = teacher if isinstance(teacher, TrainingConfig) and taught is None else None
    teacher_weights, student_weights = fingerprint_weights(
        teacher=None if to_teach is None else to_teach.model, student=student.model
    )
    check(
        dataset=version,
        plan=Plan(image=image, teacher=to_teach, student=student),
        gallery=gallery,
        teacher_weights=teacher_weights,
        student_weights=student_weights,
        earlier_teacher=taught,
    )
    if isinstance(student, EmbedderConfig):
        light = embedder(
            dataset=version, image=image, config=student, gallery=gallery, weights=student_weights, after="check"
        )
    else:
        if to_teach is not None:
            taught = teach(dataset=version, image=image, config=to_teach, weights=teacher_weights, after="check")
        light = distil(
            dataset=version,
            teacher=taught,
            image=image,
            config=student,
            distillation=distillation,
            weights=student_weights,
            after="check",
        )
    release, metrics = assemble(dataset=version, student=light, use_case=use_case, gallery=gallery, packaging=packaging)
    register(candidate=release, metrics=metrics, use_case=use_case)
    depict(candidate=release, dataset=version)
