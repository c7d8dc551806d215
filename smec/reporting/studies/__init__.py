"""How each kind of study is drawn: `render(frame, settings) -> Rendered`, one file per kind of `smec.studies`."""
