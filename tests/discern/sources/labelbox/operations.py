"""What the fake Labelbox does for each GraphQL operation of the SDK. Their names are the SDK's own."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.discern.sources.labelbox.rows import Project, Row

if TYPE_CHECKING:
    from tests.discern.sources.labelbox.server import FakeLabelbox

NOW = "2026-01-02T03:04:05.000Z"
DATES = {"createdAt": NOW, "updatedAt": NOW}


def filled(query: str, values: dict[str, Any]) -> dict[str, Any]:
    """Every field that a query may ask for, None where there is no value."""
    return dict.fromkeys(re.findall(r"\w+", query)) | DATES | values


class Operations:
    """The operations, over the state of a fake."""

    def __init__(self, fake: FakeLabelbox) -> None:
        self.fake = fake

    def run(self, name: str, variables: dict[str, Any], query: str, files: list[bytes]) -> dict[str, Any]:
        """Run one; LookupError: what it names does not exist; ValueError: it is there already."""
        if name == "UploadFile":
            return self.upload(files[0])
        answer = getattr(self, name[0].lower() + name[1:])(variables, query)
        assert isinstance(answer, dict)
        return answer

    def upload(self, data: bytes) -> dict[str, Any]:
        path = self.fake.keep(f"/uploads/{self.fake.new_id('file')}", data)
        return {"uploadFile": {"url": self.fake.url + path, "filename": path}}

    def getUser(self, variables: dict[str, Any], query: str) -> dict[str, Any]:  # noqa: N802
        return {"user": filled(query, {"id": "user", "email": "somebody@example.org"})}

    def getProject(self, variables: dict[str, Any], query: str) -> dict[str, Any]:  # noqa: N802
        project = self._project(variables["param_0"])
        enums = {"allowedMediaType": "IMAGE", "editorTaskType": "MISSING", "uploadType": "MANUAL"}
        return {"project": filled(query, {"id": project.id, "name": project.id} | enums)}

    def getUserCreatedTasks(self, variables: dict[str, Any], query: str) -> dict[str, Any]:  # noqa: N802
        task = self._task(variables["param_0"])
        if task["looks"] > 0:
            task["looks"] -= 1
        status = "IN_PROGRESS" if task["looks"] else task["status"]
        facts = {key: task[key] for key in ("id", "type")} | {"status": status, "completionPercentage": 50}
        return {"user": {"createdTasks": [filled(query, facts)]}}

    def exportDataRowsInProject(self, variables: dict[str, Any], query: str) -> dict[str, Any]:  # noqa: N802
        filters = variables["input"]["filters"]
        project = self._project(filters["projectId"])
        rows = self.fake.export_rows(project.id, filters["searchQuery"]["query"])
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
        task = self._new_task("export-data-rows", self.fake.export_status, self.fake.export_looks)
        task["path"], task["size"] = self.fake.keep(f"/exports/{task['id']}", lines), len(lines)
        if self.fake.cut_exports:
            self.fake.keep(task["path"], lines[: -self.fake.cut_exports])
        return {"exportDataRowsInProject": {"taskId": task["id"], "isStreamable": True}}

    def getExportMetadataHeader(self, variables: dict[str, Any], query: str) -> dict[str, Any]:  # noqa: N802
        task = self._task(variables["where"]["id"])
        is_result = variables["streamType"] == "RESULT"
        size, lines = (task["size"], 1) if is_result else (100 * self.fake.export_errors, self.fake.export_errors)
        return {"task": {"exportMetadataHeader": {"totalSize": size, "totalLines": lines} if size else None}}

    def getExportFileFromOffset(self, variables: dict[str, Any], query: str) -> dict[str, Any]:  # noqa: N802
        task = self._task(variables["where"]["id"])
        file = {
            "offsets": {"start": 0, "end": task["size"] - 1},
            "lines": {"start": 0, "end": 1},
            "file": self.fake.url + task["path"],
        }
        return {"task": {"exportFileFromOffset": file}}

    def getDatasets(self, variables: dict[str, Any], query: str) -> dict[str, Any]:  # noqa: N802
        found = [id_ for id_, name in self.fake.datasets.items() if name in variables.values()]
        return {"datasets": [filled(query, {"id": id_, "name": self.fake.datasets[id_]}) for id_ in found]}

    def createDataset(self, variables: dict[str, Any], query: str) -> dict[str, Any]:  # noqa: N802
        id_ = self.fake.new_id("dataset")
        self.fake.datasets[id_] = variables["name"]
        return {"createDataset": filled(query, {"id": id_, "name": variables["name"]})}

    def upsertDataRows(self, variables: dict[str, Any], query: str) -> dict[str, Any]:  # noqa: N802
        manifest = json.loads(self._file(variables["manifestUri"]))
        task = self._new_task("adv-upsert-data-rows", "COMPLETE")
        task["failed"] = []
        known = {row.global_key for row in self.fake.rows.values()}
        for uri in manifest["chunk_uris"]:
            for item in json.loads(self._file(uri)):
                payload = item["payload"]
                assert payload["dataset_id"] in self.fake.datasets
                if payload["global_key"] in known | self.fake.refused_keys:
                    refused = payload["global_key"] in self.fake.refused_keys
                    task["failed"].append((payload, "Asset could not be read" if refused else "Duplicate global key"))
                    continue
                image = urlsplit(payload["row_data"]).path
                row = Row(self.fake.new_id("row"), image, payload["global_key"], payload["external_id"])
                self.fake.rows[row.id] = row
        facts = {key: task[key] for key in ("id", "type", "status")}
        return {"upsertDataRows": filled(query, facts)}

    def failedDataRowImports(self, variables: dict[str, Any], query: str) -> dict[str, Any]:  # noqa: N802
        results = [
            {"message": message, "spec": {"globalKey": payload["global_key"]}}
            for payload, message in self._task(variables["taskId"])["failed"]
        ]
        return {"failedDataRowImports": {"after": None, "total": len(results), "results": results}}

    def getDataRowsForGlobalKeys(self, variables: dict[str, Any], query: str) -> dict[str, Any]:  # noqa: N802
        job = self._new_task("global-keys", "COMPLETE")
        job["keys"] = variables["globalKeys"]
        return {"dataRowsForGlobalKeys": {"jobId": job["id"]}}

    def getDataRowsForGlobalKeysResult(self, variables: dict[str, Any], query: str) -> dict[str, Any]:  # noqa: N802
        ids = self._ids()
        keys = self._task(variables["jobId"])["keys"]
        data = {
            "fetchedDataRows": [{"id": ids.get(key, "")} for key in keys],
            "notFoundGlobalKeys": [key for key in keys if key not in ids and key not in self.fake.denied_keys],
            "accessDeniedGlobalKeys": [key for key in keys if key in self.fake.denied_keys],
        }
        return {"dataRowsForGlobalKeysResult": {"data": data, "jobStatus": "COMPLETE"}}

    def checkAllDataRowsHaveBeenProcessed(self, variables: dict[str, Any], query: str) -> dict[str, Any]:  # noqa: N802
        return {"queryAllDataRowsHaveBeenProcessed": {"allDataRowsHaveBeenProcessed": True}}

    def getProjectBatches(self, variables: dict[str, Any], query: str) -> dict[str, Any]:  # noqa: N802
        project = self._project(variables["projectId"])
        nodes = [self._batch(project, name, query) for name in project.batches]
        return {"project": {"id": project.id, "batches": {"nodes": nodes, "pageInfo": {"endCursor": None}}}}

    def createBatchV2(self, variables: dict[str, Any], query: str) -> dict[str, Any]:  # noqa: N802
        project, given = self._project(variables["projectId"]), variables["batchInput"]
        assert 1 <= given["priority"] <= 5
        self._new_batch(project, given["name"])
        failed = self._fill(project, given["name"], given["globalKeys"])
        created = {"batch": self._batch(project, given["name"], query), "failedDataRowIds": failed}
        return {"project": {"createBatchV2": created}}

    def createEmptyBatch(self, variables: dict[str, Any], query: str) -> dict[str, Any]:  # noqa: N802
        project = self._project(variables["projectId"])
        self._new_batch(project, variables["input"]["name"])
        return {"project": {"createEmptyBatch": {"id": variables["input"]["name"]}}}

    def addDataRowsToBatchAsync(self, variables: dict[str, Any], query: str) -> dict[str, Any]:  # noqa: N802
        project, given = self._project(variables["projectId"]), variables["input"]
        self._fill(project, given["batchId"], given["globalKeys"])
        task = self._new_task("add-data-rows-to-batch", "COMPLETE")
        return {"project": {"addDataRowsToBatchAsync": {"taskId": task["id"]}}}

    def getProjectBatch(self, variables: dict[str, Any], query: str) -> dict[str, Any]:  # noqa: N802
        project = self._project(variables["projectId"])
        return {"project": {"batches": {"nodes": [self._batch(project, variables["batchId"], query)]}}}

    def deleteBatch(self, variables: dict[str, Any], query: str) -> dict[str, Any]:  # noqa: N802
        project = self._project(variables["projectId"])
        for id_ in project.batches.pop(variables["batchId"]):
            del project.rows[id_]
        return {"project": {"deleteBatch": {"deletedBatchId": variables["batchId"]}}}

    def _new_batch(self, project: Project, name: str) -> None:
        if name in project.batches:
            raise ValueError(f"Batch {name} already exists in this project")
        project.batches[name] = []

    def _fill(self, project: Project, name: str, keys: list[str]) -> list[str]:
        ids = self._ids()
        failed = [ids[key] for key in keys if ids[key] in project.rows]
        for key in keys:
            if ids[key] not in failed:
                project.rows[ids[key]] = self.fake.rows[ids[key]]
                project.batches[name].append(ids[key])
        return failed

    def _batch(self, project: Project, name: str, query: str) -> dict[str, Any]:
        return filled(query, {"id": name, "name": name, "size": len(project.batches[name])})

    def _ids(self) -> dict[str | None, str]:
        return {row.global_key: row.id for row in self.fake.rows.values()}

    def _project(self, id_: str) -> Project:
        if id_ == "forbidden":
            raise PermissionError("you are not a member of this project")
        return self.fake.projects[id_]

    def _task(self, id_: str) -> dict[str, Any]:
        task = self.fake.tasks[id_]
        assert isinstance(task, dict)
        return task

    def _new_task(self, kind: str, status: str, looks: int = 0) -> dict[str, Any]:
        id_ = self.fake.new_id("task")
        self.fake.tasks[id_] = {"id": id_, "type": kind, "status": status, "looks": looks}
        return self._task(id_)

    def _file(self, url: str) -> bytes:
        return self.fake.files[urlsplit(url).path]
