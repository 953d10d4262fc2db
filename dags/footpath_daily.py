"""Every day: read what is new, recompute what that changes, check it, publish it.

One task a stage. Each calls footpath's command line in footpath's own environment, so Airflow and footpath need
not agree on one version of anything. Set-up, parameters, alerts and backfills are in README.md beside this file.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import subprocess
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Asset, CronDataIntervalTimetable, Metadata, Param, chain, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

FOOTPATH = os.environ.get("FOOTPATH_COMMAND", "footpath")
CONFIG = os.environ.get("FOOTPATH_CONFIG", "footpath.yml")
ALERT = os.environ.get("FOOTPATH_ALERT", "")

TIMEOUTS = {
    "ingest": timedelta(hours=4),
    "resolve": timedelta(hours=2),
    "sessionize": timedelta(hours=2),
    "journeys": timedelta(hours=1),
    "personas": timedelta(hours=1),
    "graph": timedelta(hours=1),
    "publish": timedelta(hours=1),
}
TABLES = (
    "accounts", "attribution", "customer_personas", "data_quality", "dead_letters", "events", "identities",
    "identity_changes", "identity_intervals", "identity_refusals", "ingest_ledger", "journey_personas",
    "journey_steps", "journeys", "kpis", "pain_point_journeys", "pain_points", "persona_changes",
    "persona_features", "persona_models", "personas", "quarantine", "runs", "segment_differences",
    "sessions", "stages", "touchpoint_accounting", "touchpoints", "transitions", "unmatched_events",
)  # fmt: skip
ASSETS = {name: Asset(name=f"footpath/{name}", uri=f"footpath://{name}") for name in TABLES}

FINAL = {
    2: "wrong usage",
    3: "the configuration has mistakes",
    5: "a check failed",
    7: "a stage before this one is missing",
    8: "the Beam runner is refused",
    9: "a newer footpath wrote the warehouse",
    10: "a source lost a required field",
}
"""Exit codes that another try would end with again."""


class Footpath(BashOperator):
    """A stage of footpath; its summary is the result. Where trying again is no use, it fails at once."""

    def __init__(self, *, stage: str, dated: bool = False, **kwargs: Any) -> None:
        day = '${DAY:+--date "$DAY"}' if dated else ""
        super().__init__(
            task_id=stage,
            # Parameters reach the shell as variables, never as text of the command.
            bash_command=f'exec {FOOTPATH} --log-format json {stage} -c "$CONFIG" {day} -- $BEAM',
            env={
                "CONFIG": "{{ params.config }}",
                "BEAM": "{{ params.beam_options | join(' ') }}",
                "DAY": "{{ data_interval_start | ds if params.by_date else '' }}",
            },
            append_env=True,
            output_processor=json.loads,
            skip_on_exit_code=None,
            execution_timeout=TIMEOUTS[stage],
            **kwargs,
        )

    def execute(self, context: Any) -> Any:
        try:
            return super().execute(context)
        except AirflowException as error:
            for code, meaning in FINAL.items():
                if str(error).endswith(f" {code}."):
                    raise AirflowFailException(
                        f"{self.task_id}: {meaning} (exit code {code})"
                    ) from None
            raise


def alert(context: Any) -> None:
    """Log the summary of the run that failed, and give it to the alert command if one is set."""
    config = context["params"]["config"]
    status = [*shlex.split(FOOTPATH), "--log-format", "json", "status", "-c", config]
    told = subprocess.run(status, capture_output=True, text=True, check=False)
    instance = context["task_instance"]
    document = {
        "dag_id": instance.dag_id,
        "run_id": instance.run_id,
        "task_id": instance.task_id,
        "exception": str(context.get("exception")),
        "summary": json.loads(told.stdout or "null"),
    }
    text = json.dumps(document)
    logging.getLogger(__name__).error("footpath failed: %s", text)
    if ALERT:
        subprocess.run(shlex.split(ALERT), input=text, text=True, check=True)


@task(outlets=list(ASSETS.values()))
def announce(published: dict[str, Any]) -> Any:
    """One event for each table of a new version, with its rows; none if nothing was new."""
    if not published["published"]:
        raise AirflowSkipException("nothing new was published")
    for name, asset in ASSETS.items():
        rows = published["tables"].get(name)
        yield Metadata(asset, extra={"version": published["version"], "rows": rows})


with DAG(
    dag_id="footpath_daily",
    description="Customer journeys: ingest to published database and map",
    schedule=CronDataIntervalTimetable("0 3 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,  # a warehouse has one writer
    default_args={
        "retries": 2,
        "retry_delay": timedelta(minutes=5),
        "retry_exponential_backoff": True,
        "on_failure_callback": alert,
    },
    params={
        "config": Param(CONFIG, type="string", description="footpath.yml, as workers see it"),
        "beam_options": Param(
            [],
            type="array",
            items={"type": "string", "pattern": r"^--[\w-]+(=[\w./:,@+-]*)?$"},
            description="options for Beam, such as --runner=FlinkRunner; no blanks in them",
        ),
        "by_date": Param(
            False,
            type="boolean",
            description="read only the files of the run's day, where paths name {date}",
        ),
    },
    tags=["footpath"],
    doc_md=__doc__,
) as dag:
    stages = [Footpath(stage=name, dated=name == "ingest") for name in TIMEOUTS]
    chain(*stages, announce(stages[-1].output))
