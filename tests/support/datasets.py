"""Small data sets on disk: iHarmony4's layout and plain folders."""

import numpy as np
from PIL import Image

SIZE = (72, 60)


def scene(seed, size=SIZE):
    """A smooth coloured picture."""
    coarse = np.random.default_rng(seed).integers(30, 220, (5, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))


def region(share, size=SIZE):
    """A mask whose lower rows, about this share of the picture, are foreground."""
    mask = np.zeros((size[1], size[0]), np.uint8)
    mask[size[1] - max(1, round(share * size[1])) :, 2:-2] = 255
    return mask


def darkened(truth, mask, factor=0.6):
    """The truth with its foreground at this part of its level."""
    return np.where(mask[..., None] > 0, (truth * factor).astype(np.uint8), truth)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **({"quality": 100} if path.suffix == ".jpg" else {}))


def add_triple(subset, stem, *, seed, share=0.3, composite=None):
    """One triple by iHarmony4's names: returns the composite's file name."""
    truth, mask = scene(seed), region(share)
    save(subset / "real_images" / f"{stem}.jpg", truth)
    save(subset / "masks" / f"{stem}_1.png", mask)
    save(subset / "composite_images" / f"{stem}_1_2.jpg", darkened(truth, mask) if composite is None else composite)
    return f"{stem}_1_2.jpg"


def write_iharmony(root):
    """HCOCO with 4 triples, 3 of them in its test list; HFlickr with 2 in the common list. Returns the root."""
    names = [add_triple(root / "HCOCO", f"c{i}", seed=i, share=s) for i, s in enumerate((0.03, 0.1, 0.3, 0.4))]
    (root / "HCOCO" / "HCOCO_test.txt").write_text("".join(f"{name}\n" for name in names[:3]))
    (root / "HCOCO" / "HCOCO_train.txt").write_text(f"{names[3]}\n")
    others = [add_triple(root / "HFlickr", f"f{i}", seed=10 + i) for i in range(2)]
    lines = [f"HFlickr/composite_images/{name}" for name in others] + [f"HCOCO/composite_images/{n}" for n in names]
    (root / "IHD_test.txt").write_text("\n".join(lines))
    return root


def write_plain(folder, count=6, *, first_seed=50):
    """`images/` and `masks/` of as many pictures; returns the folder."""
    for i in range(count):
        save(folder / "images" / f"{i:03}.png", scene(first_seed + i))
        save(folder / "masks" / f"{i:03}.png", region(0.3))
    return folder
