"""What a person is told about somebody, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from django import forms
from django.utils import timezone

from people.models import Person

if TYPE_CHECKING:
    PersonModelForm: TypeAlias = forms.ModelForm[Person]
else:
    PersonModelForm = forms.ModelForm


class PersonForm(PersonModelForm):
    """Name, birth date, notes, and whether they are shown among the people; for owners the account, too."""

    class Meta:
        model = Person
        fields = ("name", "birth_date", "notes", "user", "hidden")
        labels = {"user": "Account", "hidden": "Hide among the people"}
        help_texts = {
            "birth_date": "Nobody is looked for in photos from before.",
            "user": "Who logs in as this person.",
        }
        widgets = {
            "birth_date": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "notes": forms.Textarea(attrs={"rows": 3}),
        }

    def __init__(self, *args: Any, owner: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not owner:
            del self.fields["user"]

    def clean_name(self) -> str:
        """Runs of white space are one blank; a name is never empty."""
        name = " ".join(str(self.cleaned_data["name"]).split())
        if not name:
            raise forms.ValidationError("A person needs a name.")
        return name

    def clean_birth_date(self) -> Any:
        """Nobody is born tomorrow."""
        born = self.cleaned_data["birth_date"]
        if born and born > timezone.localdate():
            raise forms.ValidationError("This day is still to come.")
        return born


class BoxForm(forms.Form):
    """A drawn box, in percent of the upright picture, and perhaps a name."""

    x = forms.FloatField(min_value=0, max_value=99.9)
    y = forms.FloatField(min_value=0, max_value=99.9)
    width = forms.FloatField(min_value=0.5, max_value=100)
    height = forms.FloatField(min_value=0.5, max_value=100)
    name = forms.CharField(max_length=200, required=False)
    face = forms.IntegerField(required=False, help_text="The face whose box this is; empty: a new one.")

    def clean(self) -> dict[str, Any]:
        """What reaches over the edge is cut off there."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        for start, size in (("x", "width"), ("y", "height")):
            if start in values and size in values:
                values[size] = min(values[size], 100 - values[start])
        return values

    @property
    def fractions(self) -> tuple[float, float, float, float]:
        """x, y, width, height as fractions of the picture."""
        x, y, width, height = (float(self.cleaned_data[name]) / 100 for name in ("x", "y", "width", "height"))
        return x, y, width, height
