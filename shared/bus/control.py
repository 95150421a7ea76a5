"""What holds for work that is already queued: the compacted control topic, read whole."""

from shared.events.models import JobControl, Lane


class Control:
    """The newest control of each job, as every replica knows it."""

    def __init__(self) -> None:
        self._newest: dict[str, JobControl] = {}

    def apply(self, control: JobControl) -> None:
        """The newest control of a job replaces the earlier one whole."""
        self._newest[control.job_id] = control

    def stopped(self, job_id: str, run: int) -> bool:
        """The run was cancelled, or its job superseded."""
        control = self._newest.get(job_id)
        if control is None:
            return False
        return control.superseded_by is not None or run <= (control.cancelled_to_run or 0)

    def lane(self, job_id: str, lane: Lane) -> Lane:
        """The lane that the job has now."""
        control = self._newest.get(job_id)
        return control.lane if control and control.lane else lane
