"""Descriptions that a model wrote, and the state of a photo that waits for one."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('library', '0004_space_source'),
    ]

    operations = [
        migrations.CreateModel(
            name='PhotoDescription',
            fields=[
                ('photo', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='model_description', serialize=False, to='library.photo')),
                ('text', models.TextField(blank=True)),
                ('engine', models.CharField(help_text='The identity of the engine that wrote it.', max_length=300)),
            ],
        ),
        migrations.RemoveIndex(
            model_name='photo',
            name='photo_models_lane',
        ),
        migrations.AlterField(
            model_name='photo',
            name='state',
            field=models.CharField(choices=[('pending', 'Pending'), ('preprocessing', 'Preprocessing'), ('processing_objects', 'Processing Objects'), ('processing_embeddings', 'Processing Embeddings'), ('processing_ocr', 'Processing Ocr'), ('processing_faces', 'Processing Faces'), ('processing_hash', 'Processing Hash'), ('checking_duplicates', 'Checking Duplicates'), ('processing_descriptions', 'Processing Descriptions'), ('completed', 'Completed'), ('partial', 'Partial'), ('failed', 'Failed')], default='pending', max_length=24),
        ),
        migrations.AddIndex(
            model_name='photo',
            index=models.Index(condition=models.Q(('state__in', ('processing_objects', 'processing_embeddings', 'processing_ocr', 'processing_faces', 'processing_hash', 'checking_duplicates', 'processing_descriptions'))), fields=['priority', 'id'], name='photo_models_lane'),
        ),
    ]
