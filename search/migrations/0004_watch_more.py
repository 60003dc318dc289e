from django.db import migrations

from search.changes import unwatch_sql, watch_sql

#: Of faces, grouping writes others all the time.
FACE = ('photo_id', 'space_id', 'embedding', 'person_id', 'status')


class Migration(migrations.Migration):

    dependencies = [
        ('library', '0015_albums_kept'),
        ('people', '0005_recognition'),
        ('search', '0003_saved_searches'),
    ]

    operations = [
        migrations.RunSQL(watch_sql('library_cropembedding'), unwatch_sql('library_cropembedding')),
        migrations.RunSQL(watch_sql('people_face', FACE), watch_sql('people_face')),
    ]
