"""The embedded default for images: drawings of characters, and their Unicode names as captions.

`image`: other drawings of the same character; `text_to_image` and `image_to_text`: drawings and names. The characters
are split by a hash, so that those of the test are never trained on; another hash keeps a part of all characters for
training the backbone itself.
"""

import importlib.metadata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from smec.datasets.base import Dataset
from smec.datasets.glyph_drawing import Character, characters, drawing, font_of
from smec.datasets.image_faults import Faults
from smec.datasets.image_sets import ImageSettings, Pictures, paired
from smec.datasets.images import stored_table
from smec.datasets.splits import hashed_fraction
from smec.errors import SmecError

SOURCE = "drawings of characters in matplotlib's fonts"


class GlyphsSettings(ImageSettings):
    """Which characters are drawn, and how often."""

    kind: Literal["glyphs"] = Field(default="glyphs", description="Characters drawn in matplotlib's fonts.")
    part: Literal["retrieval", "pretraining"] = Field(
        default="retrieval", description="Characters to search, or those that a backbone is trained on."
    )
    pretraining_share: float = Field(
        default=0.55, gt=0, lt=1, description="Share of all characters that are of the part `pretraining`."
    )
    max_characters: int = Field(
        default=1500, ge=10, description="Characters of the part that are kept; the choice is by a hash of the name."
    )
    queries_per_character: int = Field(default=3, ge=0, description="Drawings of each character that are queries.")
    documents_per_character: int = Field(default=5, ge=0, description="Drawings of each character that are found.")
    min_fonts: int = Field(default=6, ge=1, description="Fonts that must have a character.")
    image_size: int = Field(default=32, ge=8, description="Pixels of a side.")
    seed: int = Field(default=0, ge=0, description="Of the distortions and the order of the fonts.")
    distortion: float = Field(
        default=1.0, ge=0, le=2, description="Multiplies rotation, scale, shift, blur and noise; 0: as typeset."
    )


def load(settings: GlyphsSettings, folder: Path) -> Dataset:
    """Draw the characters and pair the drawings.

    Raises:
        SmecError: matplotlib's fonts are missing, or nothing is left to draw.
    """
    chosen = select(characters(settings.min_fonts), settings)
    per_character = settings.queries_per_character + settings.documents_per_character
    if not chosen or not per_character:
        raise SmecError(
            f"The dataset kind 'glyphs' has nothing to draw: {len(chosen)} characters, {per_character} times."
        )
    numbered = [(character, number) for character in chosen for number in range(per_character)]
    fonts = [font_of(character, number, settings.seed) for character, number in numbered]
    ids = [f"{character.code}/{number:02d}" for character, number in numbered]
    size, distortion = settings.image_size, settings.distortion
    contents = [drawing(character, number, settings.seed, size, distortion) for character, number in numbered]
    pictures = Pictures(
        ids=ids,
        groups=[character.code for character, _ in numbered],
        splits=[""] * len(ids),
        captions=[character.name for character, _ in numbered],
        asks=[number < settings.queries_per_character for _, number in numbered],
        answers=[number >= settings.queries_per_character for _, number in numbered],
    )
    dataset = paired(pictures, stored_table(ids, contents), SOURCE, settings, Faults(settings.faults, SOURCE))
    dataset.details.update(
        characters=len(chosen),
        drawings_per_font=dict(sorted(Counter(fonts).items())),
        versions={name: importlib.metadata.version(name) for name in ("matplotlib", "pillow")},
    )
    return dataset


def select(known: Sequence[Character], settings: GlyphsSettings) -> list[Character]:
    """Return the characters of the part, at most `max_characters`, by code point."""
    wanted = settings.part == "pretraining"
    of_part = [c for c in known if (hashed_fraction(f"part {c.name}") < settings.pretraining_share) == wanted]
    kept = sorted(of_part, key=lambda character: hashed_fraction(character.name))[: settings.max_characters]
    return sorted(kept, key=lambda character: character.text)
