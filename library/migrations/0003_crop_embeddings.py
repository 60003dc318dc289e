"""Vectors of parts of photos, kept in their rows like those of whole photos (see 0002)."""

from __future__ import annotations

import django.db.models.deletion
import pgvector.django.vector
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('library', '0002_vectors_inline'),
    ]

    operations = [
        migrations.CreateModel(
            name='CropEmbedding',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveSmallIntegerField()),
                ('vector', pgvector.django.vector.VectorField()),
                ('photo', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='crop_embeddings', to='library.photo')),
                ('space', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='crop_embeddings', to='library.embeddingspace')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('photo', 'space', 'position'), name='crop_embedding_unique')],
            },
        ),
        migrations.RunSQL(
            "ALTER TABLE library_cropembedding ALTER COLUMN vector SET STORAGE MAIN",
            "ALTER TABLE library_cropembedding ALTER COLUMN vector SET STORAGE EXTERNAL",
        ),
    ]
