"""`python -m benchmarks.groceries --photos PATH`: the pipelines on the Grocery Store Dataset, and both galleries."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from benchmarks.results import REPOSITORY, save

COMMAND = "python -m benchmarks.groceries --photos PATH"
SHOTS = 5


def main() -> None:
    """Train once; search the held-out products by their catalogue picture and by a few photos."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", required=True, help="folder or zip of the Grocery Store Dataset")
    parser.add_argument("--measure-only", action="store_true", help="measure the newest candidate, run no pipeline")
    options = parser.parse_args()
    os.environ["GROCERY_PHOTOS"] = str(Path(options.photos).resolve())
    # Once the variable is there: the pipelines read it.
    from discern.data.sources import open_source
    from discern.data.sources.grocery import GroceryConfig
    from discern.data.versions import write_version
    from discern.evaluation.gallery import GalleryConfig
    from discern.releases.candidate import calibrate
    from edge_runtime.identify import Identifier
    from pipelines.configs import read_config
    from pipelines.data import data_pipeline
    from pipelines.lookup import newest_output
    from pipelines.promotion import promotion_pipeline
    from pipelines.training import training_pipeline
    from steps import workspace

    configs = REPOSITORY / "configs" / "groceries"
    for pipeline in () if options.measure_only else (data_pipeline, training_pipeline, promotion_pipeline):
        name = pipeline.name.removesuffix("_pipeline")
        pipeline.with_options(config_path=str(configs / f"{name}.yaml"))()
    release = newest_output("training_pipeline", "release_candidate", "groceries").load()
    dataset = newest_output("data_pipeline", "dataset_version", "groceries").load()
    config = read_config(configs / "training.yaml", os.environ)["parameters"]
    gallery = GalleryConfig.model_validate(config["gallery"])
    source = GroceryConfig.model_validate(read_config(configs / "data.yaml", os.environ)["parameters"]["source"])
    photos = open_source(source.model_copy(update={"catalogue": False, "shots": SHOTS})).photos()
    few_shot, _ = write_version(photos, workspace.shards(), source="grocery")
    model = Identifier(release).model
    figures: dict[str, float | int | None] = {}
    for name, version in (("catalogue", dataset), (f"{SHOTS}shot", few_shot)):
        metrics = calibrate(model, version, release.preprocessing, gallery, config["candidate"]["fpir"]).metrics
        figures |= {
            f"recall_at_1_{name}": metrics.unseen_recall_at_1,
            f"detection_rate_{name}": metrics.unseen_detection_rate,
            f"stranger_refusal_{name}": metrics.stranger_refusal,
            f"auroc_{name}": metrics.auroc,
        }
        figures |= {
            "gallery_classes": metrics.gallery_classes,
            "unseen_queries": metrics.unseen_queries,
            "stranger_queries": metrics.stranger_queries,
        }
    save("groceries", {key: round(v, 4) if isinstance(v, float) else v for key, v in figures.items()}, COMMAND)


if __name__ == "__main__":
    main()
