"""The parts that need torch: they run in the training environment alone."""

import dataclasses

import pytest
import torch

from training.batches import Batch
from training.classifier_head import fit_head
from training.config import read_plan
from training.losses import false_alarms, lesion_loss, soft_dice
from training.networks import Classifier, UNet
from training.train import learning_rate, network


def test_dice_is_one_for_the_truth_and_falls_with_errors() -> None:
    truth = torch.zeros(1, 1, 8, 8, 8)
    truth[..., :4] = 1
    assert float(soft_dice(truth, truth)) == pytest.approx(1)
    assert float(soft_dice(1 - truth, truth)) < 0.2


def test_a_missed_lesion_costs_more_in_the_lung_than_outside() -> None:
    lesions = torch.zeros(1, 1, 8, 8, 8)
    lesions[..., :2, :2, :2] = 1
    silent = torch.full_like(lesions, -4.0)
    inside = torch.ones_like(lesions)
    assert lesion_loss(silent, lesions, inside) > lesion_loss(silent, lesions, 1 - inside)


def test_a_false_alarm_costs_outside_the_lung_however_few_its_voxels_are() -> None:
    inside, alarm = torch.zeros(1, 1, 8, 8, 8), torch.full((1, 1, 8, 8, 8), -8.0)
    inside[..., :4] = 1
    alarm[..., 0, 0, 7] = 8.0
    in_the_lung = torch.full_like(inside, -8.0)
    in_the_lung[..., 0, 0, 0] = 8.0
    assert float(false_alarms(alarm, inside)) > 100 * float(false_alarms(in_the_lung, inside))
    assert float(false_alarms(alarm, torch.ones_like(inside))) == 0


def test_the_finish_differs_from_its_plan_in_what_it_names() -> None:
    plan = read_plan("lesion_seg")
    assert plan.finish is not None
    assert (plan.outside, plan.finish.outside) == (0, 0.5)
    assert plan.finish.phantoms == plan.phantoms
    assert plan.finish.finish is None


def test_unet_keeps_the_size_of_its_input() -> None:
    logits = UNet((4, 8, 8), classes=3)(torch.zeros(2, 1, 8, 12, 16))
    assert logits.shape == (2, 3, 8, 12, 16)


def test_the_same_plan_begins_with_the_same_weights() -> None:
    plan = read_plan("covid_classifier")
    first, second = network(plan).state_dict(), network(plan).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_learning_rate_rises_then_falls() -> None:
    plan = read_plan("lung_seg")
    first, top, last = (learning_rate(plan, step) for step in (0, 60, plan.steps - 1))
    assert max(first, last) < 0.1 * top


def crops_of_which_every_other_shows_covid() -> Batch:
    volume, looks = torch.full((4, 1, 8, 8, 8), -1.0), torch.zeros(4, 3, 4, 4, 4)
    volume[::2, ..., :4], looks[::2, 1, ..., :2] = 1.0, 1.0
    return Batch(volume + 0.1 * torch.randn(4, 1, 8, 8, 8), looks)


def test_head_learns_to_tell_covid_from_what_is_not() -> None:
    net = network(dataclasses.replace(read_plan("covid_classifier"), channels=(4, 4))).eval()
    assert isinstance(net, Classifier)
    fit_head(net, [crops_of_which_every_other_shows_covid() for _ in range(10)])
    judged = net(crops_of_which_every_other_shows_covid().volume)
    assert judged.argmax(dim=1).tolist() == [1, 0, 1, 0]
