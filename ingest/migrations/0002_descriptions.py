"""The ledger knows the step that writes descriptions."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ingest', '0001_initial'),
    ]

    operations = [
        migrations.AlterField(
            model_name='steprun',
            name='step',
            field=models.CharField(choices=[('preprocessing', 'Preprocessing'), ('objects', 'Objects'), ('embeddings', 'Embeddings'), ('ocr', 'Ocr'), ('faces', 'Faces'), ('hash', 'Hash'), ('duplicates', 'Duplicates'), ('descriptions', 'Descriptions')], max_length=16),
        ),
    ]
