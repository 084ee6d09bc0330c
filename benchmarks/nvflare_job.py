"""NVFlare's XGBoost bagging recipe on bakeries' rows, in its simulator; for NVFlare's own Python.

`PYTHON -m benchmarks.nvflare_job FOLDER BAKERIES ROUNDS RATE` (by `benchmarks.frameworks`, which
has written the rows) leaves `model.json` and `spent.json` there. Nothing of Glean is imported.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import xgboost
from nvflare.apis.dxo import from_shareable
from nvflare.apis.event_type import EventType
from nvflare.apis.filter import Filter
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import Shareable
from nvflare.app_common.app_event_type import AppEventType
from nvflare.app_opt.xgboost.data_loader import XGBDataLoader
from nvflare.app_opt.xgboost.recipes import XGBBaggingRecipe
from nvflare.recipe import SimEnv, set_per_site_config

DEPTH, SUBSAMPLE = 6, 0.7

_BEGINS = {
    AppEventType.BEFORE_CONTRIBUTION_ACCEPT,
    AppEventType.BEFORE_AGGREGATION,
    AppEventType.BEFORE_SHAREABLE_TO_LEARNABLE,
}
_ENDS = {
    AppEventType.AFTER_CONTRIBUTION_ACCEPT,
    AppEventType.AFTER_AGGREGATION,
    AppEventType.AFTER_SHAREABLE_TO_LEARNABLE,
}


class BakeryRowsFile(XGBDataLoader):
    """A client's rows from its file."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def load_data(self) -> tuple[xgboost.DMatrix, xgboost.DMatrix]:
        """Training rows and validation rows."""
        number = int(self.client_id.split("-")[1]) - 1
        with np.load(Path(self.folder, f"{number}.npz")) as rows:
            return (
                xgboost.DMatrix(rows["x"], rows["y"], weight=rows["weight"], nthread=1),
                xgboost.DMatrix(rows["validation_x"], rows["validation_y"], nthread=1),
            )


class ModelBytes(Filter):
    """Counts the bytes of models that pass, in one direction."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def process(self, shareable: Shareable, fl_ctx: FLContext) -> Shareable:  # noqa: ARG002
        """Add a line with the number of bytes, and let it pass."""
        data = from_shareable(shareable).data.get("model_data") or ()
        parts = [data] if isinstance(data, (bytes, bytearray)) else data
        with Path(self.path).open("a", encoding="ascii") as file:
            file.write(f"{sum(map(len, parts))}\n")
        return shareable


class AggregationWatch(Filter):
    """Adds up the time in which the server takes updates and merges them; changes nothing."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self._began = 0.0
        self._spent_s = 0.0

    def process(self, shareable: Shareable, fl_ctx: FLContext) -> Shareable:  # noqa: ARG002
        """Let it pass."""
        return shareable

    def handle_event(self, event_type: str, fl_ctx: FLContext) -> None:  # noqa: ARG002
        """Start, stop, or write down."""
        if event_type in _BEGINS:
            self._began = time.perf_counter()
        elif event_type in _ENDS:
            self._spent_s += time.perf_counter() - self._began
        elif event_type == EventType.END_RUN:
            Path(self.path).write_text(str(self._spent_s), encoding="ascii")


def main() -> None:
    """Run it."""
    folder, bakeries, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    recipe = XGBBaggingRecipe(
        name="bagging",
        min_clients=bakeries,
        num_rounds=rounds,
        local_subsample=SUBSAMPLE,
        learning_rate=float(sys.argv[4]),
        objective="reg:squarederror",
        eval_metric="mae",
        max_depth=DEPTH,
        nthread=1,
    )
    sites = [f"site-{k + 1}" for k in range(bakeries)]
    set_per_site_config(
        recipe, {site: {"data_loader": BakeryRowsFile(str(folder))} for site in sites}
    )
    down, up, merging = folder / "down.txt", folder / "up.txt", folder / "merging.txt"
    recipe.add_server_output_filter(ModelBytes(str(down)), tasks=["train"])
    recipe.add_server_input_filter(ModelBytes(str(up)), tasks=["train"])
    recipe.add_server_input_filter(AggregationWatch(str(merging)), tasks=["train"])
    recipe.execute(SimEnv(clients=sites, workspace_root=str(folder / "workspace")))
    (model,) = (folder / "workspace").rglob("xgboost_model.json")
    shutil.copy(model, folder / "model.json")
    spent = {
        "bytes_down": sum(map(int, down.read_text().split())),
        "bytes_up": sum(map(int, up.read_text().split())),
        "aggregation_s": float(merging.read_text()),
    }
    (folder / "spent.json").write_text(json.dumps(spent), encoding="ascii")


if __name__ == "__main__":
    main()
