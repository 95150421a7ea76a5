"""What holds for all tests: where nothing may be skipped, a skip is a failure."""

import os

import pytest


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With CLARION_NO_SKIPS=1, as in continuous integration, end with 1 when a test was skipped."""
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    if not os.environ.get("CLARION_NO_SKIPS") or reporter is None:
        return
    skipped = reporter.stats.get("skipped", [])
    for report in skipped:
        reporter.write_line(f"may not be skipped: {report.nodeid}: {report.longrepr[2]}")
    if skipped and exitstatus == 0:
        session.exitstatus = 1
