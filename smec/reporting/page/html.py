"""reStructuredText to one HTML file: docutils writes it, figures and style inside; DataTables makes tables sortable."""

import base64
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
STYLES = ("minimal.css", str(FOLDER / "page.css"))
MODULE = "DATATABLES"
"""What page.js imports; the library itself takes its place."""


def html(text: str) -> str:
    """Return the page; equal texts and figures give equal bytes.

    Args:
        text: reStructuredText; images are read and embedded.

    Raises:
        docutils.utils.SystemMessage: the text is not valid reStructuredText, which is a fault of a template.
    """
    from docutils.core import publish_string

    settings = {
        "_disable_config": True,
        "datestamp": None,
        "doctitle_xform": True,
        "generator": None,
        "halt_level": 2,
        "image_loading": "embed",
        "language_code": "en",
        "math_output": "MathML",
        "output_encoding": "unicode",
        "report_level": 2,
        "section_self_link": True,
        "source_link": None,
        "stylesheet_path": list(STYLES),
        "table_style": "",
        "template": str(FOLDER / "page.html"),
        "traceback": True,
    }
    page: str = publish_string(text, writer="html5", settings_overrides=settings)
    return page.replace("</body>", f'<script type="module">\n{script()}</script>\n</body>')


@cache
def script() -> str:
    """Return the module that makes tables sortable, with the library inside."""
    from itables import options

    library = base64.b64encode(Path(options.dt_bundle).read_bytes()).decode()
    module = (FOLDER / "page.js").read_text(encoding="utf-8")
    return module.replace(MODULE, f"data:text/javascript;base64,{library}")
