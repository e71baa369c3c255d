"""State dicts with the keys and shapes of the published S2CRNet checkpoints, filled by a seed."""

import torch

FIRES = {3: (64, 16, 64), 4: (128, 16, 64), 6: (128, 32, 128), 7: (256, 32, 128), 9: (256, 48, 192)}
FIRES |= {10: (384, 48, 192), 11: (384, 64, 256)}
VGG = {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256), 12: (256, 256), 14: (256, 256)}
VGG |= {17: (256, 512), 19: (512, 512), 21: (512, 512), 24: (512, 512), 26: (512, 512), 28: (512, 512)}


def _shapes_squeezenet(prefix):
    yield f"{prefix}.0", (64, 3, 3, 3)
    for index, (channels, squeezed, expanded) in FIRES.items():
        yield f"{prefix}.{index}.squeeze", (squeezed, channels, 1, 1)
        yield f"{prefix}.{index}.expand1x1", (expanded, squeezed, 1, 1)
        yield f"{prefix}.{index}.expand3x3", (expanded, squeezed, 3, 3)


def _shapes_vgg(prefix):
    for index, (channels, width) in VGG.items():
        yield f"{prefix}.{index}", (width, channels, 3, 3)


def _shapes_crm(name):
    yield f"{name}.fc_f_1.fc1", (192, 512)
    yield f"{name}.fc_b_1.fc1", (192, 512)
    yield f"{name}.fc_label_1", (32, 5)
    yield f"{name}.fc_label_2", (64, 32)
    yield f"{name}.fc_f_label", (192, 576)


def published_state(encoder="squeezenet1_1", stages=2, seed=0):
    """Random tensors, He-scaled so that activations stay sane; slopes positive on average."""
    generator = torch.Generator().manual_seed(seed)
    shapes = list((_shapes_vgg if encoder.startswith("vgg") else _shapes_squeezenet)(encoder))
    for stage in range(stages):
        shapes += _shapes_crm(f"fusion.cr{stage + 1}")
    state = {}
    for name, shape in shapes:
        fan_in = torch.tensor(shape[1:]).prod().item()
        state[f"{name}.weight"] = torch.randn(shape, generator=generator) * (2.0 / fan_in) ** 0.5
        state[f"{name}.bias"] = 0.05 * torch.randn(shape[0], generator=generator)
        if name.endswith("fc_b_1.fc1"):
            state[f"{name}.bias"] += 2.0
    return state
