"""What a model guesses about somebody's looks is for sorting suggestions, not for reading."""

from __future__ import annotations

from pathlib import Path

from people.models import Face

ROOT = Path(__file__).resolve().parents[2]


def test_no_page_names_a_guess() -> None:
    pages = [path for folder in ("templates", "static") for path in (ROOT / folder).rglob("*.*")]
    assert len(pages) > 20
    for path in pages:
        if path.suffix in (".html", ".txt", ".js"):
            text = path.read_text(encoding="utf-8")
            assert "age_guess" not in text and "sex_guess" not in text, path


def test_the_admin_calls_them_guesses() -> None:
    for name in ("age_guess", "sex_guess"):
        field = Face._meta.get_field(name)
        assert "guess" in str(field.verbose_name) and "never a fact" in str(field.help_text)
