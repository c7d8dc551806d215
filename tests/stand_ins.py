"""Empty files in the places where a configuration expects data of a user, for what only plans."""

from pathlib import Path


def lay_out(root, datasets):
    """Touch every file and make every folder that image datasets of a configuration name."""
    for settings in datasets.values():
        if settings.get("kind") == "image_folder":
            (root / settings["path"]).mkdir(parents=True, exist_ok=True)
            for name in (settings["csv"], *settings.get("vectors", ())):
                Path(root / name).parent.mkdir(parents=True, exist_ok=True)
                Path(root / name).touch()
