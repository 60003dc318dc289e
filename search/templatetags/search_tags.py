"""What other pages show of a search: templates are put together at the top."""

from __future__ import annotations

from typing import Any

from django import template

from library.models import OcrText
from search.explain import matching_lines
from search.vocabulary import read

register = template.Library()


@register.simple_tag(takes_context=True)
def lines_found(context: dict[str, Any], ocr: OcrText | None, q: str) -> set[int]:
    """The lines of text in a picture (counted from 1) that have what was searched for."""
    if ocr is None or not q.strip():
        return set()
    texts = [str(block.get("text", "")) for block in ocr.blocks]
    return {number + 1 for number in matching_lines(texts, read(q, context["request"].user))}
