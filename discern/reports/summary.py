"""What the index says of a page: its summary lies beside it as JSON, so that the index needs no other source."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Kind = Literal["data", "training", "promotion", "enrolment"]
Verdict = Literal["good", "bad", "wait"]
PICTURES = 6  # of a row of the index


class Origin(BaseModel):
    """Which run made a page.

    Attributes:
        made: when, with its time zone.
        pipeline_run: name of ZenML's run; None outside one.
        git_commit: of the code; None where it is not known.
        mlflow_run: id of the tracker's run; None where there is none.
        sources: where the photos came from, as the config names it; no secret is part of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    made: AwareDatetime
    pipeline_run: str | None = None
    git_commit: str | None = None
    mlflow_run: str | None = None
    sources: tuple[str, ...] = ()

    def shown(self) -> datetime:
        """Return `made` without fractions of a second."""
        return self.made.replace(microsecond=0)

    def rows(self) -> list[tuple[str, str]]:
        """Return names and values of what is known, for people."""
        rows = [("Made", f"{self.shown():%Y-%m-%d %H:%M %Z}")]
        if self.pipeline_run is not None:
            rows.append(("Pipeline run", self.pipeline_run))
        if self.git_commit is not None:
            rows.append(("Code, git commit", self.git_commit))
        if self.mlflow_run is not None:
            rows.append(("MLflow run", f"{self.mlflow_run} (`discern mlflow` shows it)"))
        return rows + [("Source", source) for source in self.sources]


class PageSummary(BaseModel):
    """What the index says of one page.

    Attributes:
        kind: which pipeline made it.
        use_case: what it is for.
        id: of the dataset version that was checked, or of the release that was trained, judged or enrolled into.
        version: id of the dataset version that it rests on; equal to `id` for `data`.
        origin: which run made it.
        verdict: good, bad, or wait where a person has to look.
        word: the verdict in one or two words, such as `Fit to train on`.
        reason: what decided it, one line; empty where there is nothing to say.
        figures: name -> value, as text, the most telling first.
        pictures: up to six, as `data:` addresses.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    use_case: str
    id: str
    version: str
    origin: Origin
    verdict: Verdict
    word: str
    reason: str = ""
    figures: dict[str, str] = Field(default_factory=dict)
    pictures: tuple[str, ...] = Field(default=(), max_length=PICTURES)
