"""Picture files made by hand: profiles, headers and tags that no library writes on request."""

import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image

SRGB_D50 = np.array([[0.4360, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]])
ADOBE_RGB_D50 = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])


def png_chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_png_chunk(data, kind, body):
    """Put a chunk right behind the header."""
    return data[:33] + png_chunk(kind, body) + data[33:]


def png_16_bits(rgb_or_grey):
    channels = 1 if rgb_or_grey.ndim == 2 else rgb_or_grey.shape[2]
    code = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}.get(channels)
    array = rgb_or_grey if code is None else cv2.cvtColor(rgb_or_grey, code)
    return cv2.imencode(".png", array)[1].tobytes()


def png_header_claiming(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(b"\0" * 64))


def tiff_16_bits(rgb, *, orientation=1):
    """cv2's TIFF with its planar-configuration tag (1 is the default) turned into an orientation tag."""
    data = bytearray(cv2.imencode(".tiff", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].tobytes())
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    entries = [bytes(data[start + 2 + 12 * i : start + 14 + 12 * i]) for i in range(count)]
    entries = [entry for entry in entries if struct.unpack_from("<H", entry)[0] != 284]
    entries.append(struct.pack("<HHIHH", 274, 3, 1, orientation, 0))
    entries.sort(key=lambda entry: struct.unpack_from("<H", entry)[0])
    data[start + 2 : start + 2 + 12 * count] = b"".join(entries)
    return bytes(data)


def encode(array, kind, **options):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind, **options)
    return buffer.getvalue()


def matrix_profile(colorants=ADOBE_RGB_D50, *, curve=None):
    """A display profile: RGB, colorants as columns of a (3, 3) matrix, one tone curve (gamma 563/256)."""
    curve = curve or struct.pack(">4sIIH", b"curv", 0, 1, 563)
    tags = {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve, b"wtpt": _xyz(0.9642, 1.0, 0.8249)}
    for index, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ")):
        tags[name] = _xyz(*colorants[:, index])
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def grey_profile(gamma):
    curve = struct.pack(">4sIIH", b"curv", 0, 1, round(gamma * 256))
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": curve, b"wtpt": _xyz(0.9642, 1.0, 0.8249)})


def cmyk_profile_in_which_cyan_prints_red():
    """A printer profile with a 2-point table: full cyan is Lab (50, 70, 50), everything else white."""
    white, red = (255, 128, 128), (round(50 * 2.55), 128 + 70, 128 + 50)
    table = [red if node & 8 and not node & 7 else white for node in range(16)]
    identity = bytes(range(256))
    lut = struct.pack(">4sIBBBB9i", b"mft1", 0, 4, 3, 2, 0, 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    lut += identity * 4 + bytes(value for lab in table for value in lab) + identity * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": lut, b"A2B1": lut, b"wtpt": _xyz(0.9642, 1.0, 0.8249)})


def _xyz(x, y, z):
    return struct.pack(">4sI3i", b"XYZ ", 0, *(round(v * 65536) for v in (x, y, z)))


def _profile(device_class, space, connection, tags):
    text = b"test profile\0"
    tags = {b"desc": struct.pack(">4sII", b"desc", 0, len(text)) + text + bytes(78), **tags}
    table, body, offset = b"", b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += struct.pack(">4sII", name, offset + len(body), len(data))
        body += data
    header = struct.pack(">I4sI4s4s4s", offset + len(body), b"lcms", 0x02100000, device_class, space, connection)
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp")
    header = header.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
