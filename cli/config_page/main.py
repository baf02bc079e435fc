"""Write `docs/configs.md`; with `--check` nothing is written, and a page that differs from the models is an error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zenml.config.pipeline_run_configuration import PipelineRunConfiguration

from cli.config_page.described import as_model
from cli.config_page.page import Part, render
from orchestration.checked_pipeline import CheckedPipeline
from pipelines.data import data_pipeline
from pipelines.enrolment import enrolment_pipeline
from pipelines.promotion import promotion_pipeline
from pipelines.training import training_pipeline

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configs.md"
# What `discern.use_cases.config_files.folder_parameters` says.
OF_THE_FOLDER = {"use_case": "the folder's name", "training": "`training.yaml` beside it, if there is one"}
OF_THE_COMMAND = {"request": "what `discern enrol` or `discern retire` asked for"}

DATA = """\
parameters:
  source: {kind: folder, path: /photos/parts}
  splits: {validation_share: 0.2, test_share: 0.2, unknown_share: 0.3, shots: 3}
  checks:
    waive: {duplicates: The camera takes several frames of each part}
"""
TRAINING = """\
parameters:
  image: {size: 160}
  teacher: {model: {backbone: resnet18d}, steps: 600, classes_per_batch: 16}
  student: {model: {backbone: resnet10t}, steps: 600, classes_per_batch: 16}
  packaging: {fpir: 0.1}
"""
PROMOTION = """\
parameters:
  keys: "${DISCERN_HOME}/keys"
  gates: {least_recall_at_1: 0.9, least_tpir: 0.8, least_tnir: 0.8}
  channels: {production: parts-production, staging: parts-staging}
"""
ENROLMENT = """\
parameters:
  gates: {least_photos: 3, least_found: 0.7}
"""

WRITTEN_BY_HAND = {"parameters", "steps", "tags", "enable_cache", "settings"}
FOOT = """\
## ZenML's own keys

Beside `parameters` a config may hold what any ZenML run config holds:

| key | value | meaning |
| --- | --- | --- |
| `tags` | list of: text | further tags of the run; its use case is one already |
| `enable_cache` | true or false | `false` runs every step anew |
| `steps` | name of a step -> keys and values | what holds for one step: `steps: {{ingest: {{enable_cache: false}}}}` |
| `settings` | keys and values | of the stack's components, such as `resources: {{cpu_count: 4}}` |

ZenML's documentation explains these and the rest: {others}.
"""


def part(pipeline: CheckedPipeline, example: str) -> Part:
    """Return a pipeline's part of the page."""
    file = f"{pipeline.name.removesuffix('_pipeline')}.yaml"
    return Part(file, as_model(pipeline.entrypoint), example, pipeline.step_names, OF_THE_FOLDER | OF_THE_COMMAND)


def page() -> str:
    """Return the page as the models are now.

    Raises:
        ValueError: nobody says what a key means, or two headings are the same.
    """
    parts = [
        part(data_pipeline, DATA),
        part(training_pipeline, TRAINING),
        part(promotion_pipeline, PROMOTION),
        part(enrolment_pipeline, ENROLMENT),
    ]
    others = sorted(PipelineRunConfiguration.model_fields.keys() - WRITTEN_BY_HAND)
    return render(parts, FOOT.format(others=", ".join(f"`{name}`" for name in others)))


def main(arguments: Sequence[str]) -> int:
    """Write or check the page; returns the exit status."""
    text = page()
    if "--check" in arguments:
        return int(not PAGE.is_file() or PAGE.read_text() != text)
    PAGE.write_text(text)
    return 0
