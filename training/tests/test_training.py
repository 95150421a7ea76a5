"""The parts that need torch: they run in the training environment alone."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from training import checkpoint
from training.batches import Batch, Patches
from training.checkpoint import OtherPlan
from training.classifier_head import fit_head
from training.compared import candidates, compare
from training.config import Plan, read_parameters, read_plan
from training.losses import false_alarms, lesion_loss, soft_dice
from training.networks import Classifier, UNet, settle
from training.phantoms import draw_missing, load, train_seeds
from training.scanner import View, random_view
from training.train import learning_rate, network, train

pytestmark = pytest.mark.torch


def test_dice_is_one_for_the_truth_and_falls_with_errors() -> None:
    truth = torch.zeros(1, 1, 8, 8, 8)
    truth[..., :4] = 1
    assert float(soft_dice(truth, truth)) == pytest.approx(1)
    assert float(soft_dice(1 - truth, truth)) < 0.2


def lesion_target(inside: float, others: float) -> torch.Tensor:
    target = torch.zeros(1, 3, 8, 8, 8)
    target[:, 0, :2, :2, :2] = 1
    target[:, 1], target[:, 2] = inside, others
    return target


def test_a_missed_lesion_costs_more_in_the_lung_than_outside() -> None:
    silent = torch.full((1, 1, 8, 8, 8), -4.0)
    assert lesion_loss(silent, lesion_target(1, 0)) > lesion_loss(silent, lesion_target(0, 0))


def test_calling_a_look_alike_a_lesion_costs_less_than_calling_plain_lung_one() -> None:
    alarm = torch.full((1, 1, 8, 8, 8), 4.0)
    assert lesion_loss(alarm, lesion_target(1, 1)) < lesion_loss(alarm, lesion_target(1, 0))


def test_a_false_alarm_costs_outside_the_lung_however_few_its_voxels_are() -> None:
    inside, alarm = torch.zeros(1, 1, 8, 8, 8), torch.full((1, 1, 8, 8, 8), -8.0)
    inside[..., :4] = 1
    alarm[..., 0, 0, 7] = 8.0
    in_the_lung = torch.full_like(inside, -8.0)
    in_the_lung[..., 0, 0, 0] = 8.0
    assert float(false_alarms(alarm, inside)) > 100 * float(false_alarms(in_the_lung, inside))
    assert float(false_alarms(alarm, torch.ones_like(inside))) == 0


def test_unet_keeps_the_size_of_its_input() -> None:
    logits = UNet((4, 8, 8), classes=3)(torch.zeros(2, 1, 8, 16, 24))
    assert logits.shape == (2, 3, 8, 16, 24)


def test_a_settled_network_calls_a_patient_the_same_beside_any_neighbour() -> None:
    torch.manual_seed(0)
    net = UNet((4, 8), classes=1).train()
    one, other = torch.randn(1, 1, 8, 8, 8), 5 + torch.randn(1, 1, 8, 8, 8)
    together = torch.cat([one, other])
    assert not torch.allclose(net(together)[:1], net(one), atol=1e-3)
    settle(net)
    assert torch.allclose(net(together)[:1], net(one), atol=1e-5)


def test_the_same_plan_begins_with_the_same_weights() -> None:
    plan = read_plan("covid_classifier")
    first, second = network(plan).state_dict(), network(plan).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_learning_rate_rises_then_falls() -> None:
    plan = read_plan("lung_seg")
    first, top, last = (learning_rate(plan, step) for step in (0, 60, plan.cycle - 1))
    assert max(first, last) < 0.1 * top
    assert learning_rate(plan, plan.cycle + 60) == pytest.approx(top / 2)


def test_a_view_without_change_is_the_volume_itself() -> None:
    volume = np.random.default_rng(0).normal(0, 300, (6, 8, 10)).astype(np.float32)
    view = View((6, 8, 10), np.eye(3), np.zeros(3))
    assert view.of(volume, "bilinear", -1000.0) == pytest.approx(volume, abs=0.1)


def test_a_view_is_turned_and_moved_as_it_says() -> None:
    volume = np.zeros((9, 9, 9), np.float32)
    volume[6, 4, 2] = 1  # two to the head and two to the right of the middle
    quarter = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)
    seen = View((9, 9, 9), quarter, np.array([1.0, 0, 0])).of(volume, "nearest")
    assert np.argwhere(seen > 0.5).tolist() == [[5, 2, 4]]


def test_what_lies_outside_the_volume_is_air() -> None:
    rng = np.random.default_rng(1)
    view = random_view(rng, (16, 16, 16), (9, 9, 9), (8, 8, 8), (3, 3, 3), None)
    seen = view.of(np.full((8, 8, 8), 40, np.int16), "bilinear", -1000.0)
    assert seen.min() == -1000
    assert seen.max() == pytest.approx(40, abs=0.1)


def crops_of_which_every_other_shows_covid() -> Batch:
    volume, looks = torch.full((4, 1, 8, 8, 8), -1.0), torch.zeros(4, 3, 4, 4, 4)
    volume[::2, ..., :4], looks[::2, 1, ..., :2] = 1.0, 1.0
    noise = 0.1 * torch.randn(4, 1, 8, 8, 8)
    return Batch(volume + noise, looks, torch.tensor([1, 0, 1, 0]))


def fitted() -> Classifier:
    net = network(dataclasses.replace(read_plan("covid_classifier"), channels=(4, 4))).eval()
    assert isinstance(net, Classifier)
    fit_head(net, [crops_of_which_every_other_shows_covid() for _ in range(10)])
    return net


def test_head_learns_to_tell_covid_from_what_is_not() -> None:
    probabilities, _ = fitted()(crops_of_which_every_other_shows_covid().volume)
    assert probabilities.argmax(dim=1).tolist() == [1, 0, 1, 0]
    assert probabilities.sum(dim=1).tolist() == pytest.approx([1, 1, 1, 1])


def test_head_leans_on_nothing_that_is_nearly_the_same_in_every_crop() -> None:
    net = network(dataclasses.replace(read_plan("covid_classifier"), channels=(4, 4))).eval()
    assert isinstance(net, Classifier)
    covid = torch.tensor([1, 0] * 20)
    summaries = torch.zeros(40, 9)
    summaries[:, 6] = 1 - 1e-5 * covid
    summaries[:, 7] = covid + 0.5 * torch.randn(40)
    net.summary = lambda volume: summaries + volume  # type: ignore[method-assign]
    fit_head(net, [Batch(torch.zeros(()), torch.zeros(()), covid)])
    assert float(net.head.weight.detach().abs().max()) < 100


def head_of_a_trained_model() -> Classifier:
    """Its weights as training fits them: how much, how much of it sure, and the surest place."""
    net = Classifier((4, 4))
    weights = [[1.99, 0.43, -1.66, 2.11, 0.64, -0.30, 0.0, 2.79, 3.49]]
    with torch.no_grad():
        net.head.weight.copy_(torch.tensor(weights))
        net.head.bias.fill_(-6.9)
    return net


def looks(covid: float, other: float) -> torch.Tensor:
    """Shares (1, 3, 10, 10, 10): so much of the crop looks like COVID-19, so much like another."""
    look = torch.zeros(1000, dtype=torch.long)
    look[: round(1000 * covid)] = 1
    look[500 : 500 + round(1000 * other)] = 2
    shares = 0.0005 + 0.9985 * torch.nn.functional.one_hot(look, 3).float()
    return shares.T.reshape(1, 3, 10, 10, 10)


def probability(net: Classifier, shares: torch.Tensor) -> float:
    return float(net._probability(shares).detach())


def test_a_surer_case_has_no_fainter_map() -> None:
    net = head_of_a_trained_model()
    cases = [looks(0.002, 0.4), looks(0.02, 0.1), looks(0.02, 0.02), looks(0.1, 0.02)]
    sure = [probability(net, shares) for shares in cases]
    strongest = [float(net.saliency(shares).detach().max()) for shares in cases]
    assert sure == sorted(sure)
    assert sure[0] < 0.1 < 0.9 < sure[-1]
    assert strongest == sorted(strongest)
    assert strongest[0] < 0.1 < 0.9 < strongest[-1]


def test_without_what_the_map_marks_the_probability_falls() -> None:
    net, shares = head_of_a_trained_model(), looks(0.1, 0.02)
    marked = (net.saliency(shares) > 0.05).float()
    gone = shares.clone()
    gone[:, 0:1] += marked * shares[:, 1:2]
    gone[:, 1:2] *= 1 - marked
    assert probability(net, gone) < 0.5 * probability(net, shares)


def test_a_look_that_lowers_the_probability_marks_nothing() -> None:
    net = head_of_a_trained_model()
    with torch.no_grad():
        net.head.weight[0, 1::3] *= -1
    assert float(net.saliency(looks(0.1, 0.02)).detach().max()) == 0


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms")
    for _ in draw_missing(
        folder, small("lung_seg").phantoms, train_seeds(small("lung_seg").phantoms), 1
    ):
        pass
    return folder


def small(name: str) -> Plan:
    plan = read_plan(name)
    phantoms = dataclasses.replace(
        plan.phantoms, spacing=(8.0, 8.0, 8.0), shape=(40, 48, 48), train=3
    )
    return dataclasses.replace(
        plan, phantoms=phantoms, channels=(4, 8), patch=(48, 48, 48), steps=3
    )


@pytest.mark.parametrize("name", ["lung_seg", "lesion_seg", "covid_classifier"])
def test_a_step_has_the_same_batch_whenever_it_is_asked_for(name: str, cache: Path) -> None:
    parameters = read_parameters(name)
    first, second = (Patches(small(name), parameters, cache) for _ in range(2))
    first[0]
    assert torch.equal(first[2].volume, second[2].volume)
    assert torch.equal(first[2].target, second[2].target)


@pytest.mark.parametrize("name", ["lung_seg", "lesion_seg", "covid_classifier"])
def test_training_goes_on_where_it_was_ended(name: str, cache: Path, tmp_path: Path) -> None:
    plan = small(name)
    train(dataclasses.replace(plan, steps=2), cache, tmp_path / "ended")
    train(plan, cache, tmp_path / "ended")
    train(plan, cache, tmp_path / "unbroken")
    first, second = (
        torch.load(tmp_path / run / "checkpoint.pt", weights_only=True)
        for run in ("ended", "unbroken")
    )
    assert first["step"] == second["step"] == 3
    assert all(torch.equal(first["network"][k], second["network"][k]) for k in first["network"])


@pytest.mark.parametrize(
    "change", [{"seed": 9}, {"learning_rate": 0.5}, {"batch": 1}, {"steps": 1}]
)
def test_a_checkpoint_of_another_plan_is_refused(
    change: dict[str, Any], cache: Path, tmp_path: Path
) -> None:
    plan = dataclasses.replace(small("lung_seg"), steps=2)
    train(plan, cache, tmp_path)
    with pytest.raises(OtherPlan, match=next(iter(change))):
        train(dataclasses.replace(plan, **change), cache, tmp_path)


def test_a_checkpoint_of_another_input_is_refused(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = small("lung_seg")
    train(plan, cache, tmp_path)
    other = read_parameters(plan.name) | {"spacing_mm": "1 1 1"}
    monkeypatch.setattr(checkpoint, "read_parameters", lambda _: other)
    with pytest.raises(OtherPlan, match="spacing_mm"):
        train(plan, cache, tmp_path)


def test_a_run_that_had_ended_says_that_nothing_was_trained(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = small("lung_seg")
    train(plan, cache, tmp_path)
    assert "before" not in capsys.readouterr().err
    train(plan, cache, tmp_path)
    assert "was trained to its end before" in capsys.readouterr().err


def test_a_checkpoint_that_tells_no_plan_is_refused(cache: Path, tmp_path: Path) -> None:
    plan = dataclasses.replace(small("lung_seg"), steps=1)
    train(plan, cache, tmp_path)
    path = tmp_path / "checkpoint.pt"
    state = torch.load(path, weights_only=True)
    del state["plan"]
    torch.save(state, path)
    with pytest.raises(OtherPlan, match="tells no plan"):
        train(plan, cache, tmp_path)


def test_a_curve_goes_on_from_the_checkpoint(cache: Path, tmp_path: Path) -> None:
    plan = dataclasses.replace(small("lung_seg"), steps=20)
    train(plan, cache, tmp_path)
    whole = (tmp_path / "curve.csv").read_text()
    (tmp_path / "curve.csv").write_text(f"{whole}40,0.5\n60,0.4\n")
    train(plan, cache, tmp_path)
    assert (tmp_path / "curve.csv").read_text() == whole


@pytest.mark.parametrize(("number", "figure"), [(1, "dice"), (2, "auc")])
def test_networks_are_compared_by_what_they_learn_in_the_same_time(
    number: int, figure: str, cache: Path
) -> None:
    candidate = candidates()[number]
    plan = dataclasses.replace(small(candidate.plan.name), channels=candidate.plan.channels)
    cases = [load(cache, plan.phantoms, seed) for seed in train_seeds(plan.phantoms)]
    found = compare(dataclasses.replace(candidate, plan=plan), 0, cache, cases)
    assert found["steps"] > 1
    assert found["cases"] > 0
    assert figure in found
