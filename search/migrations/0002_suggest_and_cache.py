import django.db.models.deletion
import pgvector.django.vector
from django.conf import settings
from django.db import migrations, models

from search.changes import function_sql, unwatch_sql, watch_sql

#: Tables whose rows decide what is found, and of those that are updated for other reasons the columns that do.
WATCHED = {
    'library_photo': (
        'sha256', 'width', 'height', 'format', 'taken_at', 'taken_local', 'latitude', 'longitude', 'camera_make',
        'camera_model', 'lens', 'rating', 'title', 'description', 'keywords', 'is_screenshot', 'burst', 'colours',
        'renditions_at', 'state', 'missing_since', 'duplicate_of_id', 'place_id',
    ),
    'library_photofile': ('root_id', 'photo_id', 'display_path', 'size', 'missing_since'),
    'library_root': ('name', 'path'),
    'library_rootviewer': (),
    'library_tag': (),
    'library_category': (),
    'library_detectedobject': (),
    'library_ocrtext': (),
    'library_photodescription': (),
    'library_album': (),
    'library_albumphoto': (),
    'library_videopart': (),
    'library_favourite': (),
    'library_photocolour': (),
    'library_photoembedding': (),
    'library_embeddingspace': ('status',),
    'people_person': (),
    'people_face': (),
    'people_facelabel': (),
    'people_importedname': (),
    'search_searchdocument': (),
}


class Migration(migrations.Migration):

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('library', '0014_colours_by_photo'),
        ('people', '0003_imported_names'),
        ('search', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='SearchChange',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
            ],
        ),
        migrations.CreateModel(
            name='TextVector',
            fields=[
                ('key', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('vector', pgvector.django.vector.VectorField()),
                ('used_at', models.DateTimeField(help_text='To the day.')),
            ],
            options={
                'indexes': [models.Index(fields=['used_at'], name='text_vector_used')],
            },
        ),
        migrations.CreateModel(
            name='SearchPicture',
            fields=[
                ('token', models.CharField(max_length=43, primary_key=True, serialize=False)),
                ('vector', pgvector.django.vector.VectorField()),
                ('made_at', models.DateTimeField(db_index=True)),
                ('space', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='library.embeddingspace')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='VocabularyWord',
            fields=[
                ('word', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('photos', models.PositiveIntegerField(default=0, help_text='In how many documents, at the last count.')),
                ('named', models.BooleanField(default=False, help_text='In a tag, title, name or description; otherwise only read in pictures.')),
            ],
            options={
                'indexes': [models.Index(models.OrderBy(models.F('photos'), descending=True), name='vocabulary_by_photos')],
            },
        ),
        migrations.CreateModel(
            name='VocabularyCount',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('at', models.DateTimeField()),
                ('milliseconds', models.PositiveIntegerField()),
                ('version', models.CharField(max_length=80)),
            ],
        ),
        migrations.RunSQL(function_sql(), 'DROP FUNCTION search_note_change()'),
        *(migrations.RunSQL(watch_sql(table, columns), unwatch_sql(table)) for table, columns in WATCHED.items()),
    ]
