"""What a side of a dataset holds, what a backbone takes, and how a mismatch is told."""

from collections.abc import Collection
from typing import Literal

Modality = Literal["text", "image", "vectors"]

Task = Literal["text", "image", "text_to_image", "image_to_text"]
"""What is looked up in what: text in text, images in images, or one in the other."""

PLURAL: dict[Modality, str] = {"text": "text", "image": "images", "vectors": "vectors"}


def mismatch(role: str, held: Modality, taken: Collection[Modality]) -> str | None:
    """Return why a backbone cannot take one role of a dataset, as the rest of a sentence whose subject is the dataset.

    Args:
        role: corpus or queries.
        held: what the dataset has in that role.
        taken: what the backbone takes.

    Returns:
        None where they fit.
    """
    if held in taken:
        return None
    if held == "vectors":
        return (
            "brings vectors and no text or images, which the backbone would encode. Use a backbone of kind "
            "'precomputed'."
        )
    if "vectors" in taken:
        return f"brings no vectors, which the backbone would read. Use a backbone that encodes {PLURAL[held]}."
    known = " and ".join(PLURAL[each] for each in sorted(taken))
    advice = "; those of kind 'open_clip' encode images and text" if held == "image" else ""
    return (
        f"holds {PLURAL[held]} as its {role}, and the backbone encodes {known} only. Use a backbone that encodes "
        f"{PLURAL[held]}{advice}."
    )
