"""Pictures of graphs name what each colour is for, so that a page can follow the reader from light to dark."""


def _bundle(drawing, **_):
    if drawing.theme == "light":
        drawing.theme = "auto"
    return {"image/svg+xml": drawing.to_svg(), "text/plain": str(drawing)}


get_ipython().display_formatter.mimebundle_formatter.for_type_by_name("microgradlike.draw.drawing", "Drawing", _bundle)  # noqa: F821
