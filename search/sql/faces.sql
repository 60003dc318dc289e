-- Photos by their face that is nearest to one.
--
-- Filled in by search.faces:
--   {eligible}      SELECT of the photos that may be found
--   {dimensions}    of the space
-- Parameters:
--   vector, space   the face
--   photo           its photo, which is left out
--   window          how many photos at most
WITH eligible (photo_id) AS NOT MATERIALIZED (
    {eligible}
)
SELECT
    face.photo_id,
    max(1 - (face.embedding::vector({dimensions}) <=> %(vector)s::vector({dimensions}))) AS similarity
FROM people_face AS face
WHERE face.space_id = %(space)s AND face.status = 'face'
    AND face.photo_id <> %(photo)s
    AND face.photo_id IN (SELECT photo_id FROM eligible)
GROUP BY face.photo_id
ORDER BY similarity DESC, face.photo_id DESC
LIMIT %(window)s;
