"""The README of the package: its examples run, and its table names what is there."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

import augbench.packed
from augbench.packed import ops
from augbench.packed.rules.registry import LAYER_RULES
from augbench.packed.trace import PackedByRules

FOLDER = Path(augbench.packed.__file__).parent
README = (FOLDER / "README.md").read_text()
TRAINING, RULE = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def plainly_trained(given, before):
    """Outputs of the last step of one cell after another, by torch alone."""
    outputs = []
    for k, (network, head) in enumerate(before):
        weights = [*network.parameters(), *head.parameters()]
        for x, wanted in zip(
            given["images"][k].split(given["BATCH"]), given["targets"], strict=True
        ):
            made = head(network(x)).log_softmax(1)
            loss = nn.functional.nll_loss(made, wanted[k])
            with torch.no_grad():
                for value, slope in zip(weights, torch.autograd.grad(loss, weights), strict=True):
                    value -= given["RATE"] * slope
        outputs.append(made.detach())
    return torch.stack(outputs)


@pytest.mark.skipif(not ops.kernels_serve(torch.zeros(1)), reason="needs llvmlite")
def test_the_readmes_training_gives_the_numbers_of_networks_trained_alone(monkeypatch, capsys):
    from augbench.packed import choice

    monkeypatch.setattr(choice, "_WORTH_IT", 0)  # right is enough here, however busy the machine is
    given: dict[str, object] = {}
    exec(TRAINING, given)
    assert "packed by rules" in capsys.readouterr().out
    assert given["features"].shape == (given["K"], 5, 16)
    again: dict[str, object] = {}
    exec(TRAINING.split("# 3.")[0], again)  # the same networks and heads, not yet trained
    heads = [nn.Linear(16, given["CLASSES"]) for _ in range(given["K"])]
    for k, head in enumerate(heads):
        with torch.no_grad():
            head.weight.copy_(again["heads"].weight[k])
            head.bias.copy_(again["heads"].bias[k, 0])
    expected = plainly_trained(again, list(zip(again["networks"], heads, strict=True)))
    torch.testing.assert_close(given["outputs"], expected, rtol=1e-4, atol=1e-5)


def test_the_readmes_rule_packs_its_layer():
    given: dict[str, object] = {"__name__": "__main__"}
    exec(RULE, given)
    scale = given["Scale"]
    try:
        networks = [nn.Sequential(scale(2), nn.Flatten()) for _ in range(3)]
        with torch.no_grad():
            for k, network in enumerate(networks):
                network[0].factor.copy_(torch.tensor([k + 1.0, 10.0 * k]))
        x = torch.rand(4, 2, 3, 3)
        got = PackedByRules(networks)(x, shared=True)
        torch.testing.assert_close(got, torch.stack([network(x) for network in networks]))
    finally:
        LAYER_RULES.pop(scale)


def test_the_readme_names_every_module():
    table = README.split("## Where things are")[1].split("##")[0]
    named = set(re.findall(r"`(\w+)(?:\.py|/)`", table))
    there = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    folders = {path.parent.name for path in FOLDER.glob("*/__init__.py")}
    assert named == there | folders
