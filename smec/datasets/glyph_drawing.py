"""Characters drawn in the fonts that matplotlib ships, each drawing distorted in its own way.

Every drawing depends on the character, its number and the seed alone. The same versions of matplotlib's fonts and of
Pillow give the same bytes.
"""

import hashlib
import importlib.util
import io
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from smec.errors import SmecError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

FONTS = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
)
DRAWN = "LNPS"
"""Letters, numbers, punctuation and symbols: the first letters of Unicode's categories."""
OVERSAMPLING = 3
EM = 0.7
"""Height of the em square as a share of the drawing, so that accents, wide letters and rotation stay inside."""
MOST_ROTATION = 15.0
SCALES = (0.8, 1.1)
MOST_SHIFT = 0.06
MOST_BLUR = 1.5
MOST_NOISE = 0.12
THINNER, AS_IT_IS, THICKER = -1, 0, 1


@dataclass(frozen=True)
class Character:
    """A character, its Unicode name in lower case, and the fonts that have it."""

    text: str
    name: str
    fonts: tuple[str, ...]

    @property
    def code(self) -> str:
        """The code point as U+0041."""
        return f"U+{ord(self.text):04X}"


def font_folder() -> Path:
    """Return the folder of matplotlib's fonts; matplotlib is not imported.

    Raises:
        SmecError: matplotlib is not installed, or lacks one of the fonts.
    """
    spec = importlib.util.find_spec("matplotlib")
    folder = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" if spec and spec.origin else None
    for font in FONTS:
        if folder is None or not (folder / f"{font}.ttf").exists():
            raise SmecError(f"The font {font}.ttf of matplotlib was not found. Install matplotlib again.")
    assert folder is not None
    return folder


@cache
def characters(min_fonts: int) -> tuple[Character, ...]:
    """Return the named characters that at least `min_fonts` of the fonts have, by code point.

    Of characters that look the same in their first font (A and Alpha), the one with the lowest code point is kept.
    """
    from matplotlib.ft2font import FT2Font

    having: dict[int, list[str]] = defaultdict(list)
    for font in FONTS:
        for code in FT2Font(str(font_folder() / f"{font}.ttf")).get_charmap():
            having[code].append(font)
    found: dict[bytes, Character] = {}
    for code, fonts in sorted(having.items()):
        text = chr(code)
        name = unicodedata.name(text, "").lower()
        if len(fonts) < min_fonts or not name or unicodedata.category(text)[0] not in DRAWN:
            continue
        plain = _plain(text, fonts[0], 32 * OVERSAMPLING)
        if plain.getbbox() is not None:
            found.setdefault(plain.tobytes(), Character(text, name, tuple(fonts)))
    return tuple(found.values())


def drawing(character: Character, number: int, seed: int, size: int, distortion: float = 1.0) -> bytes:
    """Return one distorted drawing as a PNG file of `size` by `size` grey pixels, dark on light.

    Fonts take turns, so that the first drawings of a character are of different fonts. Rotation, scale, place,
    thickness, blur and noise are drawn anew for each; `distortion` multiplies all of them but thickness.
    """
    from PIL import Image, ImageFilter

    digest = hashlib.sha256(f"{seed} {character.code} {number}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(digest[:8]))
    side = size * OVERSAMPLING
    thickness = int(random.integers(THINNER, THICKER + 1))
    image = _plain(character.text, font_of(character, number, seed), side, stroke=max(0, thickness))
    if thickness == THINNER:
        # Half way: all of it would take the finest strokes away.
        image = Image.blend(image, image.filter(ImageFilter.MinFilter(3)), 0.5)
    image = _moved(image, random, distortion)
    image = image.filter(ImageFilter.GaussianBlur(distortion * random.uniform(0, MOST_BLUR)))
    ink = np.asarray(image.reduce(OVERSAMPLING), dtype=np.float64) / 255
    noisy = 1 - ink + distortion * random.normal(0, random.uniform(0, MOST_NOISE), ink.shape)
    pixels = np.clip(np.round(255 * noisy), 0, 255).astype(np.uint8)
    with io.BytesIO() as stream:
        Image.fromarray(pixels).save(stream, "PNG")
        return stream.getvalue()


def font_of(character: Character, number: int, seed: int) -> str:
    """Return the font of a drawing: the fonts of the character in an order of its own, in turns."""
    digest = hashlib.sha256(f"{seed} {character.code} fonts".encode()).digest()
    order = np.random.default_rng(int.from_bytes(digest[:8])).permutation(len(character.fonts))
    return character.fonts[int(order[number % len(order)])]


def _plain(text: str, font: str, side: int, stroke: int = 0) -> "Image":
    """Draw white on black, the em square in the middle."""
    from PIL import Image, ImageDraw

    image = Image.new("L", (side, side), 0)
    middle = (side / 2, side / 2)
    ImageDraw.Draw(image).text(middle, text, fill=255, font=_font(font, side), anchor="mm", stroke_width=stroke)
    return image


@cache
def _font(name: str, side: int) -> "FreeTypeFont":
    from PIL import ImageFont

    return ImageFont.truetype(font_folder() / f"{name}.ttf", EM * side, layout_engine=ImageFont.Layout.BASIC)


def _moved(image: "Image", random: np.random.Generator, distortion: float) -> "Image":
    """Rotate, scale and shift about the middle."""
    from PIL import Image

    angle = distortion * np.deg2rad(random.uniform(-MOST_ROTATION, MOST_ROTATION))
    scale = random.uniform(*SCALES) ** distortion
    shift = distortion * random.uniform(-MOST_SHIFT, MOST_SHIFT, 2) * image.width
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / scale
    middle = np.array([image.width, image.height]) / 2
    offset = middle - turn @ (middle + shift)
    data = (*turn[0], offset[0], *turn[1], offset[1])
    return image.transform(image.size, Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
