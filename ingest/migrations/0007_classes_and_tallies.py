"""Give the failures of older versions their class, and count what the ledger holds so far."""

from django.db import migrations
from django.db.models import Count, Sum

from ingest.reasons import normalise


def fill(apps, schema_editor):
    StepRun = apps.get_model('ingest', 'StepRun')
    failed = StepRun.objects.filter(status='failed').only('pk', 'error')
    batch = []
    for run in failed.iterator(chunk_size=5000):
        run.reason = normalise(run.error)
        batch.append(run)
        if len(batch) == 5000:
            StepRun.objects.bulk_update(batch, ['reason'])
            batch = []
    StepRun.objects.bulk_update(batch, ['reason'])
    counted = StepRun.objects.exclude(status='pending').order_by().values('step', 'engine', 'status')
    StepTally = apps.get_model('ingest', 'StepTally')
    StepTally.objects.bulk_create(
        StepTally(
            step=row['step'],
            engine=row['engine'],
            status=row['status'],
            runs=row['n'],
            milliseconds=row['total'] or 0,
        )
        for row in counted.annotate(n=Count('pk'), total=Sum('milliseconds'))
    )


class Migration(migrations.Migration):

    dependencies = [
        ('ingest', '0006_failure_stories'),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
