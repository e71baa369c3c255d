"""S2CRNet evaluated in float64 numpy from a state dict: independent of the code under test.

Written from the formulas (convolution as a sum over taps, ceil-mode pooling, Fire modules, the curve
rendering modules, the clamped-sum curve), sharing nothing with `harmonizer`.
"""

import numpy as np


def conv(x, weight, bias, stride=1, padding=0):
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    k = weight.shape[2]
    height, width = (x.shape[1] - k) // stride + 1, (x.shape[2] - k) // stride + 1
    out = np.zeros((weight.shape[0], height, width))
    for dy in range(k):
        for dx in range(k):
            tap = x[:, dy : dy + stride * height : stride, dx : dx + stride * width : stride]
            out += np.tensordot(weight[:, :, dy, dx], tap, axes=(1, 0))
    return out + bias[:, None, None]


def pool_ceil(x):
    height, width = (-(-(n - 3) // 2) + 1 for n in x.shape[1:])
    padded = np.pad(x, ((0, 0), (0, 2), (0, 2)), constant_values=-np.inf)
    taps = [
        padded[:, dy : dy + 2 * height : 2, dx : dx + 2 * width : 2][:, :height, :width]
        for dy in range(3)
        for dx in range(3)
    ]
    return np.max(taps, axis=0)


def relu(x):
    return np.maximum(x, 0.0)


def squeezenet_embedding(state, thumbnail, prefix):
    def fire(x, index):
        def layer(name, y, padding=0):
            key = f"{prefix}.{index}.{name}"
            return relu(conv(y, state[f"{key}.weight"], state[f"{key}.bias"], padding=padding))

        squeezed = layer("squeeze", x)
        return np.concatenate([layer("expand1x1", squeezed), layer("expand3x3", squeezed, padding=1)])

    x = relu(conv(thumbnail, state[f"{prefix}.0.weight"], state[f"{prefix}.0.bias"], stride=2))
    x = fire(fire(pool_ceil(x), 3), 4)
    x = fire(fire(pool_ceil(x), 6), 7)
    x = fire(fire(fire(pool_ceil(x), 9), 10), 11)
    return x.mean(axis=(1, 2))


def crm_slopes(state, prefix, foreground, background, one_hot=None):
    def linear(name, x):
        return state[f"{prefix}.{name}.weight"] @ x + state[f"{prefix}.{name}.bias"]

    if one_hot is None:
        from_foreground = linear("fc_f_1.fc1", foreground)
    else:
        embedded = linear("fc_label_2", relu(linear("fc_label_1", one_hot)))
        from_foreground = linear("fc_f_label", np.concatenate([foreground, embedded]))
    return (linear("fc_b_1.fc1", background) + from_foreground).reshape(3, 64)


def curve(levels, slopes):
    """y = K / sum(p) * sum_i p_i * clamp(x - i / K, 0, 1 / K); levels (3, N), slopes (3, K)."""
    pieces = slopes.shape[1]
    ramps = np.clip(levels[:, None, :] - np.arange(pieces)[None, :, None] / pieces, 0.0, 1.0 / pieces)
    return pieces / slopes.sum(axis=1)[:, None] * (slopes[:, :, None] * ramps).sum(axis=1)
