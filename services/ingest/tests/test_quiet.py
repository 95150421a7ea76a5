"""When a case is due."""

from services.ingest.quiet import QuietTimes

QUIET_S, RELEASE_S = 5.0, 2.0


def _filled(*brought: tuple[str, int]) -> QuietTimes:
    quiet = QuietTimes(RELEASE_S)
    for association, instances in brought:
        for _ in range(instances):
            quiet.arrived("case", association, QUIET_S, 0.0, bulk=False)
    return quiet


def test_a_case_is_due_when_it_has_been_quiet() -> None:
    quiet = _filled(("a", 3))
    assert (quiet.due(4.9), quiet.due(5.0)) == ([], ["case"])


def test_a_release_shortens_the_wait() -> None:
    quiet = _filled(("a", 3))
    quiet.ended("a", 1.0, clean=True)
    assert (quiet.due(2.9), quiet.due(3.0)) == ([], ["case"])


def test_a_release_never_lengthens_the_wait() -> None:
    quiet = _filled(("a", 3))
    quiet.ended("a", 4.5, clean=True)
    assert quiet.due(5.0) == ["case"]


def test_one_association_for_each_image_waits_the_whole_time() -> None:
    quiet = _filled(("a", 1))
    quiet.ended("a", 0.0, clean=True)
    assert (quiet.due(4.9), quiet.due(5.0)) == ([], ["case"])


def test_another_open_association_that_fills_the_case_keeps_the_whole_time() -> None:
    quiet = _filled(("a", 3), ("b", 1))
    quiet.ended("a", 0.0, clean=True)
    assert quiet.due(4.9) == []


def test_a_sender_of_several_associations_is_waited_for_the_whole_time() -> None:
    quiet = _filled(("a", 3))
    quiet.ended("a", 0.0, clean=True)
    quiet.arrived("case", "b", QUIET_S, 1.0, bulk=False)
    quiet.arrived("case", "b", QUIET_S, 1.0, bulk=False)
    quiet.ended("b", 1.0, clean=True)
    assert (quiet.due(5.9), quiet.due(6.0)) == ([], ["case"])


def test_an_abort_shortens_nothing() -> None:
    quiet = _filled(("a", 3))
    quiet.ended("a", 0.0, clean=False)
    assert quiet.due(4.9) == []


def test_an_arrival_after_the_release_begins_the_wait_anew() -> None:
    quiet = _filled(("a", 3))
    quiet.ended("a", 0.0, clean=True)
    quiet.arrived("case", "b", QUIET_S, 1.0, bulk=False)
    assert (quiet.due(5.9), quiet.due(6.0)) == ([], ["case"])


def test_a_known_instance_keeps_an_open_case_open_and_opens_none() -> None:
    quiet = _filled(("a", 1))
    quiet.repeated("case", "a", 4.0)
    quiet.repeated("other", "a", 4.0)
    assert (quiet.due(8.9), quiet.due(9.0)) == ([], ["case"])


def test_what_arrives_between_due_and_settling_is_waited_for() -> None:
    quiet = _filled(("a", 1))
    quiet.arrived("case", "a", QUIET_S, 5.0, bulk=False)
    assert (quiet.settle("case", 5.0), quiet.settle("case", 10.0), quiet.due(99.0)) == (
        False,
        True,
        [],
    )


def test_a_case_is_announced_a_while_before_it_is_due_unless_all_of_it_is_bulk() -> None:
    quiet = QuietTimes(RELEASE_S)
    quiet.arrived("case", "a", QUIET_S, 0.0, bulk=True)
    assert not quiet.others_soon(4.9, 1.0)
    quiet.arrived("case", "a", QUIET_S, 0.0, bulk=False)
    quiet.arrived("case", "a", QUIET_S, 0.0, bulk=True)
    assert (quiet.others_soon(3.9, 1.0), quiet.others_soon(4.0, 1.0)) == (False, True)
    assert quiet.settle("case", 5.0)
    assert not quiet.others_soon(5.0, 1.0)
    quiet.again("case", 5.0)
    assert quiet.others_soon(5.5, 0.5)
