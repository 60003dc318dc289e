import django.db.models.deletion
from django.db import migrations, models

#: As the palette was when the table was made.
EXAMPLES = (
    (0, ("c62828", "8e1b20", "e25151", "a8484a")),
    (1, ("ef7d1a", "f2a254", "b9591c")),
    (2, ("f2d024", "f4e58c", "c7a52a")),
    (3, ("43a047", "86b555", "2e5a34", "68743c", "a9c79a")),
    (4, ("26a69a", "74c9c1", "1d6a6c")),
    (5, ("1e66d0", "6ba2dc", "1c3766", "a9cbe8", "4b6d93")),
    (6, ("7b3fb0", "a887cc", "472a60")),
    (7, ("ec6fa5", "f3c3d2", "d03f83")),
    (8, ("795034", "9a7350", "46301f")),
    (9, ("d9c5a3", "bba688", "efe4d0")),
    (10, ("fafafa",)),
    (11, ("8c8c8c", "b5b5b5", "d4d4d4", "5e5e5e")),
    (12, ("101010", "2b2b2b")),
)

FILL = """
INSERT INTO library_photocolour (photo_id, palette, lightness, a, b, share)
SELECT photo.id, near.palette, round(lab.l * 10), round(lab.a * 10), round(lab.b * 10), round(lab.share * 1000)
FROM library_photo AS photo
CROSS JOIN LATERAL jsonb_array_elements(photo.colours) AS colour
CROSS JOIN LATERAL (
    SELECT
        (colour -> 'lab' ->> 0)::float8 AS l, (colour -> 'lab' ->> 1)::float8 AS a,
        (colour -> 'lab' ->> 2)::float8 AS b, (colour ->> 'share')::float8 AS share
) AS lab
CROSS JOIN LATERAL (
    SELECT example.palette
    FROM unnest(%s::int[], %s::float8[], %s::float8[], %s::float8[]) AS example (palette, l, a, b)
    ORDER BY (example.l - lab.l) ^ 2 + (example.a - lab.a) ^ 2 + (example.b - lab.b) ^ 2, example.palette
    LIMIT 1
) AS near
WHERE lab.l IS NOT NULL AND lab.b IS NOT NULL AND lab.share >= 0.04
"""


def fill(apps, schema_editor):
    """The colours of the photos that are there already, in one statement."""
    import numpy as np

    from vision.imaging.colour import rgb_to_lab

    pairs = [(number, code) for number, codes in EXAMPLES for code in codes]
    lab = rgb_to_lab(np.array([list(bytes.fromhex(code)) for _, code in pairs], dtype=np.float64))
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(FILL, [[number for number, _ in pairs], *lab.T.tolist()])


class Migration(migrations.Migration):

    dependencies = [
        ('library', '0013_places_and_favourites'),
    ]

    operations = [
        migrations.CreateModel(
            name='PhotoColour',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('palette', models.PositiveSmallIntegerField(help_text='The nearest colour of library.colours.PALETTE.')),
                ('lightness', models.SmallIntegerField(help_text='CIE Lab (D65) in tenths, as the next two.')),
                ('a', models.SmallIntegerField()),
                ('b', models.SmallIntegerField()),
                ('share', models.PositiveSmallIntegerField(help_text='Of the picture, in thousandths.')),
                ('photo', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='colour_rows', to='library.photo')),
            ],
            options={
                'indexes': [models.Index(fields=['palette', 'photo'], include=('share',), name='photo_colour_by_palette')],
            },
        ),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
