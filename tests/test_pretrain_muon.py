import torch
from torch import nn

from lab.pretrain.muon import Muon, MuonWithAdamW, orthogonalised


def test_singular_values_come_near_one_and_directions_stay():
    torch.manual_seed(0)
    matrices = torch.randn(3, 12, 40)
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    made = orthogonalised(matrices).float()
    values = torch.linalg.svdvals(made)
    assert values.min() > 0.6
    assert values.max() < 1.3
    along = torch.einsum("bij,bjk->bik", left.mT, made @ right.mT)
    assert (along.diagonal(dim1=1, dim2=2) > 0.6).all()
    assert (along - torch.diag_embed(along.diagonal(dim1=1, dim2=2))).abs().max() < 0.1


def test_an_update_does_not_depend_on_the_gradients_size():
    """The same direction, a thousand times as long, moves a weight just as far."""
    moved = []
    for size in (1e-3, 1.0):
        torch.manual_seed(1)
        weight = nn.Parameter(torch.zeros(8, 4, 3, 3))
        weight.grad = size * torch.randn_like(weight)
        optimizer = Muon([{"params": [weight]}], weight_decay=0.0)
        optimizer.param_groups[0]["lr"] = 0.1
        optimizer.step()
        moved.append(weight.detach().clone())
    torch.testing.assert_close(moved[0], moved[1], rtol=0.05, atol=1e-3)
    # As long as AdamW's: about 0.2 of the learning rate in each element.
    assert 0.01 < moved[0].square().mean().sqrt() < 0.03


def test_a_tall_matrix_is_updated_like_its_transpose():
    torch.manual_seed(2)
    gradient = torch.randn(20, 6)
    updates = []
    for given in (gradient, gradient.T.contiguous()):
        weight = nn.Parameter(torch.zeros_like(given))
        weight.grad = given.clone()
        optimizer = Muon([{"params": [weight]}])
        optimizer.param_groups[0]["lr"] = 1.0
        optimizer.step()
        updates.append(weight.detach())
    torch.testing.assert_close(updates[0], updates[1].T)


def test_every_parameter_has_one_optimiser_and_outer_layers_have_adamw():
    network = nn.ModuleDict(
        {
            "conv_in": nn.Conv2d(3, 8, 3),
            "token_embedding": nn.Embedding(10, 8),
            "inner": nn.Sequential(nn.Conv2d(8, 8, 3), nn.GroupNorm(2, 8), nn.Linear(8, 8)),
            "conv_out": nn.Conv2d(8, 3, 3),
        }
    )
    both = MuonWithAdamW([(network, 2.0)])
    muon = [p for group in both.muon.param_groups for p in group["params"]]
    everything = [p for group in both.param_groups for p in group["params"]]
    assert {id(p) for p in muon} == {
        id(network["inner"][0].weight),
        id(network["inner"][2].weight),
    }
    assert sorted(map(id, everything)) == sorted(map(id, network.parameters()))
    assert all(group["scale"] == 2.0 for group in both.param_groups)


def test_it_finds_the_minimum_of_a_least_squares_problem():
    torch.manual_seed(3)
    network, inputs = nn.Linear(6, 4), torch.randn(64, 6)
    targets = inputs @ torch.randn(6, 4) + 0.5
    optimizer = MuonWithAdamW([(network, 1.0)])
    for step in range(300):
        for group in optimizer.param_groups:
            group["lr"] = 0.1 * (1 - step / 300)
        optimizer.zero_grad()
        loss = (network(inputs) - targets).square().mean()
        loss.backward()
        optimizer.step()
    assert loss < 1e-3
