"""Whoever keeps prototypes in memory sees from their rows alone whether anything changed.

What a prototype stands for is partly in other rows: the vector of its face, and whether its person was merged or
removed. A change there rewrites the row of the prototype, which is all that ``people.matching`` looks at.
"""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION people_face_seen_anew() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE people_prototype SET face_id = face_id WHERE face_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER people_face_seen_anew AFTER UPDATE OF embedding, space_id ON people_face
FOR EACH ROW
WHEN (OLD.embedding IS DISTINCT FROM NEW.embedding OR OLD.space_id IS DISTINCT FROM NEW.space_id)
EXECUTE FUNCTION people_face_seen_anew();

CREATE FUNCTION people_person_another() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE people_prototype SET face_id = face_id WHERE person_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER people_person_another AFTER UPDATE OF merged_into_id, removed ON people_person
FOR EACH ROW
WHEN (OLD.merged_into_id IS DISTINCT FROM NEW.merged_into_id OR OLD.removed IS DISTINCT FROM NEW.removed)
EXECUTE FUNCTION people_person_another();
"""
BACKWARDS = """
DROP TRIGGER people_face_seen_anew ON people_face;
DROP FUNCTION people_face_seen_anew();
DROP TRIGGER people_person_another ON people_person;
DROP FUNCTION people_person_another();
"""


class Migration(migrations.Migration):
    dependencies = [("people", "0008_one_index_of_groups")]
    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
